#include "master/core/workflow_fill.h"

namespace muster::core {

void WorkflowFill::OnTurn(const Moment& turn, bool changed) {
  if (!MayHaveRoom()) {
    looking_ = false;
    return;
  }
  if (changed) Begin();
  looking_ = looking_ || changed;
  if (!looking_) return;
  for (size_t looks = 0; looks < kLooks && !placing_.unfinished(); ++looks) {
    Task* const task = Next();
    if (task == nullptr) {
      looking_ = false;
      return;
    }
    if (!placing_.StartsNow(turn, *task)) continue;
    transitions_.Release(turn, *task);
    placing_.Round(turn);
  }
}

void WorkflowFill::Begin() {
  began_ = at_;
  turned_ = false;
}

// Attempts that have more than a slot make it look in vain, no more.
bool WorkflowFill::MayHaveRoom() const {
  const TaskTable& tasks = cluster_.tasks;
  const uint64_t running = tasks.count(TaskState::kDispatched) + tasks.count(TaskState::kRunning) + tasks.count(TaskState::kValidating);
  return !cluster_.workflows.sharing().empty() && running < cluster_.workflows.slots();
}

Task* WorkflowFill::Next() {
  const auto& sharing = cluster_.workflows.sharing();
  for (auto workflow = sharing.lower_bound(at_.workflow);; ++workflow) {
    if (workflow == sharing.end()) {
      if (turned_ || sharing.empty()) return nullptr;
      turned_ = true;
      at_ = {};
      workflow = sharing.begin();
    }
    if (*workflow != at_.workflow) at_ = {*workflow, TaskId()};
    Task* const task = NextAtGate(*cluster_.workflows.Find(*workflow));
    if (task != nullptr) at_.task = task->id;
    if (turned_ && at_ > began_) return nullptr;
    if (task != nullptr) return task;
  }
}

Task* WorkflowFill::NextAtGate(const Workflow& workflow) const {
  const uint64_t most = MaxParallelOf(cluster_.config, workflow);
  if (workflow.Stops() || !workflow.unjudged.empty() || (most != 0 && workflow.in_flight >= most)) return nullptr;
  const auto next = workflow.gate.upper_bound(at_.task);
  return next == workflow.gate.end() ? nullptr : cluster_.tasks.Find(*next);
}

}  // namespace muster::core
