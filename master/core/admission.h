// Taking tasks in: bounds, executors that nobody has, request ids, ids, and the first state.
// With a delay target, a slow queue raises a floor (delay_floor.h): the lowest priorities are refused first.
//
// Thread rule: one thread. Errors: refusals in the answer, with the reasons SHUTTING_DOWN, QUEUE_FULL, CALL_TOO_LARGE,
// QUEUE_SLOW, REQUEST_ID_REUSED, UNKNOWN_EXECUTOR, UNKNOWN_DEPENDENCY (common/base/refusal.h); then nothing happened.
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/core/cluster.h"
#include "master/core/events.h"
#include "master/core/request_window.h"
#include "master/core/transitions.h"

namespace muster::core {

class Admission {
 public:
  Admission(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  void OnSubmit(const Moment& turn, SubmitTasks event);
  // One task that no call brings: as a submit of it alone.
  absl::StatusOr<TaskId> Accept(const Moment& turn, TaskSpecPtr spec);
  // What a submit of it would be refused for now; OK: it would be accepted. Changes nothing.
  absl::Status WouldRefuse(TaskSpecPtr spec, absl::Time now) const;
  // The same whatever waits just now.
  absl::Status WouldNeverTake(TaskSpecPtr spec) const;
  void Close(const std::string& reason);
  void OnTurn(const Moment& turn) {
    requests_.Forget(turn.now);
    cluster_.delay_floor.OnTurn(turn.now);
  }

 private:
  // True: it was answered from the window, or refused for it.
  bool AnswerRepeated(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);
  absl::Status Check(const Moment& turn, const SubmitTasks& event) const;
  absl::Status CheckOpen() const;
  absl::Status CheckDelay(int32_t priority, absl::Time now) const;
  absl::Status CheckSize(const SubmitTasks& event) const;
  absl::Status CheckRoom(const SubmitTasks& event) const;
  absl::Status CheckQueues(const SubmitTasks& event) const;
  absl::Status CheckDependencies(const TaskSpec& spec) const;
  absl::Status CheckExecutor(const TaskSpec& spec) const;

  void AcceptTasks(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);
  void AcceptBatch(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);
  // The specification as the cluster sees it.
  TaskSpecPtr Accept(const Moment& turn, SpecificationRow row, SubmitAnswer* answer);
  // Says so, and counts, when no worker that is there could ever take so many of these.
  void Warn(const TaskSpec& spec, uint64_t count, SubmitAnswer* answer);

  Cluster& cluster_;
  Transitions& transitions_;
  RequestWindow requests_;
  // Why nothing could run a class, as of a revision of the offers. Bounded.
  struct Verdict {
    uint64_t revision = 0;
    std::vector<std::string> reasons;
  };
  absl::flat_hash_map<Requirements, Verdict> verdicts_;
};

}  // namespace muster::core
