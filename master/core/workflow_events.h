// What happens to workflows: they are accepted, start in the order of their arrival, let their tasks go as places come
// free, stop at failures by their rule, are cancelled, tried again, and end.
//
// A workflow is accepted with all of its tasks in one transaction, or not at all; its tasks wait for one another as tasks
// do that name others (dependents.h). After a restart everything follows from the rows: what had ended says what may go
// on, and a rule that was applied in part is applied again, to what is left.
//
// Thread rule: one thread. Cost: a turn touches only workflows that something happened to, and ends 10,000 tasks at most.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/btree_set.h"
#include "master/core/admission.h"
#include "master/core/cancels.h"
#include "master/core/cluster.h"
#include "master/core/events.h"
#include "master/core/transitions.h"

namespace muster::core {

class WorkflowEvents {
 public:
  static constexpr size_t kEndsATurn = 10'000;  // tasks that a rule ends

  WorkflowEvents(Cluster* cluster, Transitions* transitions, Admission* admission, Cancels* cancels)
      : cluster_(*cluster), transitions_(*transitions), admission_(*admission), cancels_(*cancels) {}

  void OnSubmit(const Moment& turn, SubmitWorkflow event);
  // One that no call brings, by the same rules.
  absl::StatusOr<TaskId> Accept(const Moment& turn, SubmitWorkflow event);
  void OnAdd(const Moment& turn, AddToWorkflow event);
  void OnRetry(const Moment& turn, RetryWorkflow event);
  void OnCancel(const Moment& turn, const CancelWorkflow& event);
  void OnTurn(const Moment& turn);
  bool unfinished() const { return cluster_.workflows.any_touched(); }

 private:
  // True: it was answered, as repeated or refused.
  bool AnswerEarly(const Moment& turn, const RequestKey& request, bool id_is_taken, const std::vector<NewNode>& nodes,
                   WorkflowAnswer* answer);
  // It was not refused.
  Workflow& Take(const Moment& turn, SubmitWorkflow event, WorkflowAnswer* answer);
  // Its tasks' ids, those of batches among them.
  TaskRange AcceptNodes(const Moment& turn, Workflow* workflow, std::vector<NewNode> nodes, WorkflowAnswer* answer);
  void Answer(const Moment& turn, const RequestKey& request, const Workflow& workflow, TaskRange tasks, WorkflowAnswer answer);

  void StartThoseInTurn(const Moment& turn, size_t* left);
  // Those at its gate that values decide on start, are skipped, or break it; the others follow as places come free.
  void JudgeAndLetGo(const Moment& turn, Workflow* workflow, size_t* left);
  void JudgeTask(const Moment& turn, Workflow* workflow, Task& task, size_t* left);
  void LetGo(const Moment& turn, Workflow* workflow);
  void Stop(const Moment& turn, Workflow* workflow, size_t* left);
  void StopTasks(const Moment& turn, Workflow* workflow, TaskRange tasks, size_t* left);
  void EndIfDone(const Moment& turn, Workflow* workflow);
  void Set(const Moment& turn, Workflow* workflow, WorkflowState state, const std::string& reason);
  // How many of its tasks may be past the gate.
  uint64_t WindowOf(const Workflow& workflow) const;
  // How many of them may be queued; 0: enough are.
  uint64_t LineOf(const Moment& turn, Workflow* workflow) const;
  void CountSlots();

  Cluster& cluster_;
  Transitions& transitions_;
  Admission& admission_;
  Cancels& cancels_;
  uint64_t slots_revision_ = 0;  // of the offers that were counted last
};

}  // namespace muster::core
