// Events as they are sent: to each schedule that waits for them, once. For gRPC and for HTTP.
//
// What an event has started already is told from the store; the rest is made of it here, and started by the loop in one turn
// (core/event_triggers.h).
// Thread rule: any thread. Send reads the store and asks the loop, and may block for that; `done` runs once, on the caller's
// thread or the loop's. Ownership: everything in `deps` must outlive it, and it must outlive its calls.
// Errors: INVALID_ARGUMENT; NOT_FOUND, when no schedule waits for it; what a submit is refused for (RESOURCE_EXHAUSTED,
// UNAVAILABLE with a delay), when for now something could not be started: what was, stays; when all refuse it, the first one's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/runtime/clock.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/queue_board.h"
#include "master/store/store.h"
#include "muster/v1/schedule_service.pb.h"

namespace muster::handler {

struct EventDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  store::Store* store = nullptr;
  PendingCalls* calls = nullptr;
  const QueueBoard* queues = nullptr;  // may be null: queues have no defaults
  const runtime::Clock* clock = nullptr;
  TaskLimits limits = {};
};

class EventCalls {
 public:
  using Done = std::function<void(absl::StatusOr<v1::SendEventResponse>)>;

  explicit EventCalls(const EventDeps& deps) : deps_(deps) {}

  void Send(v1::SendEventRequest event, Done done);

 private:
  struct Prepared;

  absl::StatusOr<std::vector<EventTrigger>> TriggersOf(const std::string& event) const;
  // What it has started before is put to the answer; of the rest there is a run.
  absl::Status Prepare(const v1::SendEventRequest& event, const std::vector<EventTrigger>& triggers, Prepared* prepared) const;

  const EventDeps deps_;
};

}  // namespace muster::handler
