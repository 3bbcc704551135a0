#include "master/core/dependents.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/id_text.h"

namespace muster::core {
namespace {

constexpr size_t kMostNamed = 3;

const char* AskedOf(DependencyCondition condition) {
  switch (condition) {
    case DependencyCondition::kSuccess: return "";
    case DependencyCondition::kFailure: return " to fail";
    case DependencyCondition::kAny: return " to end";
  }
  return "";
}

std::string StateWords(const Cluster& cluster, const Task* task) {
  if (task == nullptr) return " (has ended)";
  const AttemptPlace place = PlaceOf(task->state);
  return absl::StrCat(" (", std::string(TaskStateName(task->state_now())),
                      place.worker ? absl::StrCat(" on ", cluster.NameOf(place.worker)) : "", ")");
}

// "fetch", "4F", "batch 4F (12 of 100 left)", with what is asked of it unless that is success.
std::string NameOfNeed(const Cluster& cluster, const Dependencies::Unmet& need, Words words) {
  const std::string id = IdToText(need.tasks.first.value());
  const std::vector<TaskId> open = cluster.tasks.InRange(need.tasks, 1);
  const Task* const task = open.empty() ? nullptr : cluster.tasks.Find(open.front());
  if (need.count == 1) {
    const bool named = task != nullptr && !task->spec().name.empty() && !task->group->InBatch();
    return absl::StrCat(named ? task->spec().name : id, AskedOf(need.condition),
                        words == Words::kStates ? StateWords(cluster, task) : "");
  }
  const std::string batch = task != nullptr && task->group->InBatch()
                                ? absl::StrCat("batch ", IdToText(task->group->row.batch.value()))
                                : absl::StrCat("the tasks from ", id, " on");
  return absl::StrCat(batch, AskedOf(need.condition), " (", need.open, " of ", need.count, " left)");
}

}  // namespace

void Dependents::OnFound(const EndsFound& event) {
  for (const RangeEnds& ends : event.ends) cluster_.dependencies.OnFound(ends);
}

void Dependents::OnTurn(const Moment& turn) {
  size_t left = kMovesATurn;
  while (left > 0) {
    if (!current_) current_ = cluster_.dependencies.TakeDecided();
    if (!current_) break;
    left -= MoveSome(turn, left);
  }
  AskStore(turn);
}

void Dependents::AskStore(const Moment& turn) {
  for (size_t i = 0; i < kAskedATurn && cluster_.dependencies.any_unknown(); ++i) {
    FindEnds find{cluster_.dependencies.TakeUnknown(kRangesAsked)};
    if (!find.ranges.empty()) turn.Emit(std::move(find));
  }
}

size_t Dependents::MoveSome(const Moment& turn, size_t most) {
  TaskRange& range = current_->waiter;
  const std::vector<TaskId> ids = cluster_.tasks.InRange(range, most);
  for (const TaskId id : ids) {
    Task& task = *cluster_.tasks.Find(id);
    const auto* pending = std::get_if<Pending>(&task.state);
    if (pending == nullptr || pending->reason != PendingReason::kDependencies) continue;
    if (current_->met) {
      transitions_.Release(turn, task);
    } else {
      transitions_.End(turn, task, TaskState::kCancelled,
                       {absl::StrCat("dependency: ", WhyImpossible(current_->impossible)), nullptr,
                        task.group->workflow ? EndReason::kNone : EndReason::kCancelled});  // WasSkipped
    }
  }
  if (ids.size() < most) {
    current_.reset();
  } else {
    range = {ids.back().Next(), range.count - (ids.back().value() + 1 - range.first.value())};
  }
  return std::max<size_t>(1, ids.size());
}

std::string WhyImpossible(const Dependencies::Unmet& need) {
  if (need.failed_as == TaskState::kUnknown) {
    return absl::StrCat("how task ", IdToText(need.failed.value()), " ended is not known any more: it was purged, or lost in the store");
  }
  if (need.condition == DependencyCondition::kFailure) {
    if (need.count == 1) return absl::StrCat("task ", IdToText(need.tasks.first.value()), " SUCCEEDED, and was to fail");
    return absl::StrCat("all ", need.count, " tasks from ", IdToText(need.tasks.first.value()), " on SUCCEEDED, and one was to fail");
  }
  return absl::StrCat("task ", IdToText(need.failed.value()), " ended ", std::string(TaskStateName(need.failed_as)));
}

std::string WaitsForWords(const Cluster& cluster, const Dependencies& dependencies, const Task& task, Words words) {
  uint64_t count = 0;
  const auto unmet = dependencies.UnmetOf(task.group->row.first, kMostNamed, &count);
  if (count == 0) return "goes on at once: what it waited for has ended";
  std::vector<std::string> names;
  for (const Dependencies::Unmet& need : unmet) names.push_back(NameOfNeed(cluster, need, words));
  const bool singles = std::all_of(unmet.begin(), unmet.end(), [](const auto& need) { return need.count == 1; });
  const char* const what = singles ? (count == 1 ? " task: " : " tasks: ") : count == 1 ? " dependency: " : " dependencies: ";
  return absl::StrCat("waits for ", count, what, absl::StrJoin(names, ", "),
                      count > unmet.size() ? absl::StrCat(" and ", count - unmet.size(), " more") : "");
}

}  // namespace muster::core
