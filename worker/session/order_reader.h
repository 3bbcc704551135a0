// What a message of the master says, as the loop's events and output orders. What makes no sense is left out, and
// counted where the master should hear of it.
//
// Thread rule: pure functions. Errors: nothing that a master says reaches a check.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "worker/session/attempt_work.h"
#include "worker/session/session_message.h"

namespace muster::v1 {
class OpenSession;
class SessionRequest;
}  // namespace muster::v1

namespace muster::worker {

SessionOpening ReadOpening(const v1::OpenSession& open, StreamId stream);

struct OrderContext {
  Whereabouts here;
  absl::Duration drain_timeout;  // for a drain that names no deadline
  absl::Time now;
};

// Appends to the message; `message->stream` names the stream. Returns how many assignments had impossible names.
uint32_t ReadOrders(const v1::SessionRequest& request, const OrderContext& context, SessionMessage* message);

}  // namespace muster::worker
