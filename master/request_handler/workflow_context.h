// What the calls of the workflow service share: what they were given, the threads that may block, and the way of an event
// to the core and of its answer back.
//
// Thread rule: any thread; LookUp blocks (store), and so does MedianTimes (loop). Ownership: owned by WorkflowService, which stops the pool before its
// calls go; everything in `deps` must outlive it.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/core/effects.h"
#include "master/core/events.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "master/request_handler/workflow_intake.h"
#include "master/store/store.h"

namespace muster::handler {

struct WorkflowDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  store::Store* store = nullptr;
  PendingCalls* calls = nullptr;
  const QueueBoard* queues = nullptr;  // may be null: queues have no defaults
  RefusalLog* refusals = nullptr;      // may be null
  TaskLimits limits = {};
  size_t read_threads = 2;
  size_t read_queue = 256;
};

// What the store says of a call with a request id.
struct KnownRequest {
  TaskId workflow;  // of the call as it came before; 0: it is new
  TaskRange tasks;           // that it made, ids of batches among them
  bool id_is_taken = false;  // by a call that asked for something else
};

// How many tasks of the workflow that call made.
int64_t TasksMadeBy(const KnownRequest& known, const store::StoredWorkflow& stored);

class WorkflowContext {
 public:
  explicit WorkflowContext(const WorkflowDeps& given) : deps(given), pool(given.read_threads, given.read_queue) {}

  absl::StatusOr<KnownRequest> LookUp(const core::RequestKey& request);
  absl::StatusOr<KnownTimes> MedianTimes(const std::vector<TaskSpecPtr>& specs);

  // `done` is told the core's answer when it is durable, or why there is none.
  template <typename Event>
  void Post(Event event, std::function<void(const absl::StatusOr<core::WorkflowAnswer>&)> done) {
    event.call = deps.calls->Expect<core::WorkflowAnswer>([done](absl::StatusOr<core::WorkflowAnswer> answer) { done(answer); });
    const CallId call = event.call;
    if (deps.events->Post(std::move(event))) return;
    if (deps.calls->Abandon(call)) done(deps.events->Refusal());
  }

  const WorkflowDeps deps;
  ReadPool pool;
};

}  // namespace muster::handler
