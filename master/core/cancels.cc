#include "master/core/cancels.h"

#include <algorithm>
#include <limits>

namespace muster::core {
namespace {

// What of the range was ever given out.
TaskRange Clip(TaskRange range, TaskId next_id) {
  if (!range.first) range = {TaskId(1), range.count > 0 ? range.count - 1 : 0};
  if (range.first >= next_id) return {range.first, 0};
  return {range.first, std::min(range.count, next_id.value() - range.first.value())};
}

}  // namespace

void Cancels::OnCancel(const Moment& turn, const CancelTasks& event) {
  CancelAnswer answer;
  answer.call = event.call;
  const auto wish = std::make_shared<const CancelWish>(CancelWish{event.by, event.reason});
  for (const TaskRange& asked : event.tasks) {
    const TaskRange range = Clip(asked, cluster_.next_id);
    const auto open = cluster_.tasks.InRange(range, std::numeric_limits<size_t>::max());
    answer.already_ended += static_cast<int64_t>(range.count - open.size());
    answer.requested += static_cast<int64_t>(open.size());
    if (open.empty()) continue;
    turn.rows().cancels.push_back({range, event.by, event.reason, turn.now});
    for (const TaskId id : open) Cancel(turn, *cluster_.tasks.Find(id), wish);
  }
  turn.Emit(std::move(answer));
}

void Cancels::Cancel(const Moment& turn, Task& task, const std::shared_ptr<const CancelWish>& wish) {
  if (task.cancel == nullptr) {
    task.cancel = wish;
    turn.Log(activity::CancelRequested{task.id, wish->by, wish->reason});
  }
  switch (task.state_now()) {
    case TaskState::kPending:
      if (WaitsForFence(task)) return;
      [[fallthrough]];
    case TaskState::kQueued:
      return transitions_.End(turn, task, TaskState::kCancelled, {wish->reason, nullptr, EndReason::kCancelled});
    case TaskState::kDispatched:
    case TaskState::kRunning:
    case TaskState::kValidating: return dispatching_.Stop(turn, task, EndReason::kCancelled);
    default: return;  // UNKNOWN: it is stopped when it turns up
  }
}

}  // namespace muster::core
