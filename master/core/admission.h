// Taking tasks in: bounds, executors that nobody has, request ids, ids, and the first state.
// With a delay target, a slow queue raises a floor (delay_floor.h): the lowest priorities are refused first.
//
// Thread rule: one thread. Errors: refusals in the answer, with the reasons SHUTTING_DOWN, QUEUE_FULL, CALL_TOO_LARGE,
// QUEUE_SLOW, REQUEST_ID_REUSED, UNKNOWN_EXECUTOR, UNKNOWN_DEPENDENCY (common/base/refusal.h); then nothing happened.
#pragma once

#include <map>
#include <optional>
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

// What a call brings.
struct CallSize {
  static constexpr int32_t kHighestPriority = 100;

  uint64_t count = 0;  // tasks
  int64_t bytes = 0;
  std::map<std::string, uint64_t> by_queue;
  int32_t lowest_priority = kHighestPriority;

  void Add(const TaskSpec& spec, uint64_t tasks);
};
CallSize SizeOfNodes(const std::vector<NewNode>& nodes);

class Admission {
 public:
  Admission(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  void OnSubmit(const Moment& turn, SubmitTasks event);
  // One task that no call brings: as a submit of it alone.
  absl::StatusOr<TaskId> Accept(const Moment& turn, TaskSpecPtr spec, RequestKey request = {});

  // --- For workflow_events.h, whose calls are taken in by the same rules.
  // What answers a call whose request id was used before, the refusal of other content included. Empty: it was not.
  std::optional<absl::StatusOr<AcceptedRequest>> FindRepeated(const RequestKey& request, bool id_is_taken,
                                                              const CallSize& size);
  absl::Status CheckNew(const Moment& turn, const RequestKey& request, const std::vector<NewNode>& nodes,
                        const CallSize& size) const;
  // Numbers it, and admits its tasks. Returns the specification as the cluster sees it.
  TaskSpecPtr Accept(const Moment& turn, SpecificationRow row, SubmitAnswer* answer, TaskId workflow = {}, uint32_t node = 0);
  void Remember(const Moment& turn, const RequestKey& request, AcceptedRequest accepted);
  // Says so, and counts, when no worker that is there could ever take so many of these.
  void Warn(const TaskSpec& spec, uint64_t count, std::vector<std::string>* warnings);

  // What a submit of it would be refused for now; OK: it would be accepted. Changes nothing.
  absl::Status WouldRefuse(TaskSpecPtr spec, absl::Time now) const;
  absl::Status WouldRefuse(const std::vector<NewNode>& nodes, absl::Time now) const;
  // The same whatever waits just now.
  absl::Status WouldNeverTake(TaskSpecPtr spec) const;
  absl::Status WouldNeverTake(const std::vector<NewNode>& nodes) const;
  void Close(const std::string& reason);
  void OnTurn(const Moment& turn) {
    requests_.Forget(turn.now);
    cluster_.delay_floor.OnTurn(turn.now);
  }

 private:
  // True: it was answered from the window, or refused for it.
  bool AnswerRepeated(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);
  absl::Status Check(const Moment& turn, const SubmitTasks& event) const;
  absl::Status CheckCall(const Moment& turn, const CallSize& size) const;
  absl::Status CheckNow(const CallSize& size, absl::Time now) const;
  absl::Status CheckOpen() const;
  absl::Status CheckRequests(const RequestKey& request) const;
  absl::Status CheckDelay(int32_t priority, absl::Time now) const;
  absl::Status CheckSize(const CallSize& size) const;
  absl::Status CheckRoom(const CallSize& size) const;
  absl::Status CheckQueues(const CallSize& size) const;
  absl::Status CheckDependencies(const TaskSpec& spec) const;
  absl::Status CheckExecutor(const TaskSpec& spec) const;

  void AcceptTasks(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);
  void AcceptBatch(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer);

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
