// Events over HTTP: POST /v1/events/NAME (telemetry/http_server.h).
//
// The body is convert/event_json.h's; the answer is SendEventResponse in JSON, field names as in the proto, and of an error one
// line: 400, 404 (nothing waits for it), 409, 429 and 503 (send it again), else 500.
// Thread rule: any thread; blocks until the runs are durable, or refused. Ownership: `events` must outlive the call.
#pragma once

#include <string>

#include "common/telemetry/http_server.h"
#include "master/request_handler/event_calls.h"
#include "master/request_handler/refusal_log.h"

namespace muster::handler {

// `refusals` may be null.
telemetry::HttpReply ServeEvent(EventCalls* events, RefusalLog* refusals, const std::string& name, const std::string& body);

}  // namespace muster::handler
