#include "master/core/dependencies.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/planted_fault.h"

namespace muster::core {
namespace {

bool Contains(TaskRange range, TaskId task) {
  return task >= range.first && task.value() - range.first.value() < range.count;
}

bool IsAny(DependencyCondition condition) { return condition == DependencyCondition::kAny; }

}  // namespace

// --- Sources

Dependencies::Source* Dependencies::Find(TaskRange range) {
  if (range.count == 1) {
    const auto found = singles_.find(range.first);
    return found == singles_.end() ? nullptr : &found->second;
  }
  const auto found = ranges_.find(range);
  return found == ranges_.end() ? nullptr : &found->second;
}

Dependencies::Source& Dependencies::FindOrMake(TaskRange range, const OpenIn& open_in) {
  if (Source* const there = Find(range)) return *there;
  Source& made = range.count == 1 ? singles_[range.first] : ranges_[range];
  made.open = open_in(range);
  made.known = range.count > 0 && made.open == range.count;
  return made;
}

void Dependencies::Erase(TaskRange range) {
  if (range.count == 1) {
    singles_.erase(range.first);
  } else {
    ranges_.erase(range);
  }
}

void Dependencies::NoteFailed(Source* source, TaskId task, TaskState state) {
  if (source->failed_as != TaskState::kNone) return;
  source->failed = task;
  source->failed_as = state;
  for (const Edge& edge : source->edges) {
    const auto found = waiters_.find(edge.waiter);
    if (found == waiters_.end()) continue;
    Need& need = found->second.needs[edge.need];
    if (IsAny(need.condition) || need.failed_as != TaskState::kNone) continue;
    need.failed = task;
    need.failed_as = state;
    Judge(edge.waiter, &found->second, edge.need);
  }
}

void Dependencies::TellEnded(const Source& source, bool of_any) {
  for (const Edge& edge : source.edges) {
    const auto found = waiters_.find(edge.waiter);
    if (found == waiters_.end()) continue;
    Need& need = found->second.needs[edge.need];
    if (IsAny(need.condition) != of_any) continue;
    --need.parts;
    Judge(edge.waiter, &found->second, edge.need);
  }
}

void Dependencies::NoteEnd(TaskRange range, Source* source, TaskId task, TaskState state) {
  if (state != TaskState::kSucceeded) NoteFailed(source, task, state);
  if (--source->open > 0) return;
  TellEnded(*source, true);
  if (!source->known && source->ticket != 0) return;  // the others want to know how
  TellEnded(*source, false);
  Erase(range);
}

// --- What the cluster tells

void Dependencies::OnEnd(TaskId task, TaskRange group, TaskState state) {
  if (waiters_.empty()) return;
  if (const auto found = singles_.find(task); found != singles_.end() && found->second.open > 0) {
    NoteEnd({task, 1}, &found->second, task, state);
  }
  if (ranges_.empty()) return;
  for (auto at = ranges_.lower_bound({group.first, 0}); at != ranges_.end() && Contains(group, at->first.first);) {
    const TaskRange range = at->first;
    if (Contains(range, task)) NoteEnd(range, &at->second, task, state);  // which may erase it
    at = ranges_.upper_bound(range);
  }
}

void Dependencies::OnFound(const RangeEnds& ends) {
  const TaskRange range = ends.asked.tasks;
  Source* const source = Find(range);
  if (source == nullptr || source->known) return;
  if (source->ticket != ends.asked.ticket && !Mutated("old_ends")) return;
  if (ends.failed_as != TaskState::kNone) NoteFailed(source, ends.failed, ends.failed_as);
  source->known = true;
  if (source->open > 0) return;
  TellEnded(*source, false);
  Erase(range);
}

// --- Waiters

Dependencies::Standing Dependencies::Add(TaskRange waiter, TaskSpecPtr spec, const OpenIn& open_in) {
  Waiter& added = waiters_[waiter.first];
  MUSTER_CHECK(added.spec == nullptr);
  added.count = waiter.count;
  added.spec = std::move(spec);
  for (const Dependency& dependency : added.spec->dependencies) {
    if (!dependency.continues || added.needs.empty()) added.needs.push_back({dependency.condition, TaskState::kNone, 0, {}});
    const auto need = static_cast<uint32_t>(added.needs.size() - 1);
    Link(dependency.tasks, {waiter.first, need}, &added.needs.back(), open_in);
  }
  added.unmet = static_cast<uint32_t>(added.needs.size());
  for (uint32_t need = 0; need < added.needs.size(); ++need) Judge(waiter.first, &added, need);
  if (added.impossible != kNone || added.unmet > 0) return Standing::kWaits;
  MUSTER_CHECK(decided_.back() == waiter.first);
  decided_.pop_back();
  waiters_.erase(waiter.first);
  return Standing::kMet;
}

void Dependencies::Link(TaskRange range, Edge edge, Need* need, const OpenIn& open_in) {
  const bool any = IsAny(need->condition);
  if (any && Find(range) == nullptr && open_in(range) == 0) return;
  Source& source = FindOrMake(range, open_in);
  if (!any && need->failed_as == TaskState::kNone) {
    need->failed = source.failed;
    need->failed_as = source.failed_as;
  }
  if (any ? source.open == 0 : source.Told()) return;
  ++need->parts;
  source.edges.push_back(edge);
  if (!any && !source.known && source.ticket == 0) Ask(range, &source);
}

void Dependencies::Ask(TaskRange range, Source* source) {
  source->ticket = ++last_ticket_;
  unknown_.push_back({range, source->ticket});
}

bool Dependencies::IsMet(const Need& need) const {
  if (need.parts > 0) return false;
  if (IsAny(need.condition)) return true;
  const bool wants_failure = need.condition == DependencyCondition::kFailure;
  return need.failed_as != TaskState::kUnknown && wants_failure == (need.failed_as != TaskState::kNone);
}

void Dependencies::Judge(TaskId id, Waiter* waiter, uint32_t index) {
  const Need& need = waiter->needs[index];
  if (waiter->decided) return;
  if (IsMet(need)) {
    if (--waiter->unmet == 0) Decide(id, waiter);
    return;
  }
  const bool hopeless = need.failed_as == TaskState::kUnknown || (need.failed_as != TaskState::kNone &&
                                                                  need.condition == DependencyCondition::kSuccess);
  if (need.parts > 0 && !hopeless) return;
  waiter->impossible = index;
  Decide(id, waiter);
}

void Dependencies::Decide(TaskId id, Waiter* waiter) {
  waiter->decided = true;
  decided_.push_back(id);
}

void Dependencies::Enter(TaskId first) {
  ++waiters_.at(first).waiting;
  ++waiting_;
}

void Dependencies::Leave(TaskId first) {
  --waiting_;
  if (--waiters_.at(first).waiting == 0) Forget(first);
}

void Dependencies::Forget(TaskId first) {
  const auto found = waiters_.find(first);
  const TaskSpecPtr spec = std::move(found->second.spec);
  waiters_.erase(found);
  for (const Dependency& dependency : spec->dependencies) Unlink(dependency.tasks);
}

// An edge that leads nowhere stays until half of them do.
void Dependencies::Unlink(TaskRange range) {
  Source* const source = Find(range);
  if (source == nullptr || ++source->dead * 2 < source->edges.size()) return;
  auto& edges = source->edges;
  const auto leads_nowhere = [this](const Edge& edge) { return !waiters_.contains(edge.waiter); };
  edges.erase(std::remove_if(edges.begin(), edges.end(), leads_nowhere), edges.end());
  source->dead = 0;
  if (source->edges.empty()) Erase(range);
}

std::optional<Dependencies::Decided> Dependencies::TakeDecided() {
  while (!decided_.empty()) {
    const TaskId first = decided_.front();
    decided_.pop_front();
    const auto found = waiters_.find(first);
    if (found == waiters_.end()) continue;  // it was cancelled meanwhile
    const Waiter& waiter = found->second;
    if (waiter.impossible == kNone) return Decided{{first, waiter.count}, true, {}};
    return Decided{{first, waiter.count}, false, DescribeOne(waiter, waiter.impossible)};
  }
  return std::nullopt;
}

std::vector<AskedRange> Dependencies::TakeUnknown(size_t limit) {
  std::vector<AskedRange> taken;
  while (!unknown_.empty() && taken.size() < limit) {
    const Source* const source = Find(unknown_.front().tasks);
    if (source != nullptr && source->ticket == unknown_.front().ticket) taken.push_back(unknown_.front());
    unknown_.pop_front();
  }
  return taken;
}

// --- Reads

std::vector<Dependencies::Unmet> Dependencies::Describe(const Waiter& waiter, size_t limit, uint64_t* count) const {
  std::vector<Unmet> described;
  *count = 0;
  size_t need = 0;
  bool describes = false;
  for (const Dependency& dependency : waiter.spec->dependencies) {
    if (!dependency.continues || need == 0) {
      const Need& it = waiter.needs[need++];
      describes = !IsMet(it) && ++*count <= limit;
      if (describes) described.push_back({it.condition, dependency.tasks, 0, 0, it.failed, it.failed_as});
    }
    if (!describes) continue;
    described.back().count += dependency.tasks.count;
    if (const Source* const source = Find(dependency.tasks)) described.back().open += source->open;
  }
  return described;
}

Dependencies::Unmet Dependencies::DescribeOne(const Waiter& waiter, uint32_t index) const {
  uint32_t before = 0;  // needs that are not met
  for (uint32_t need = 0; need < index; ++need) before += IsMet(waiter.needs[need]) ? 0 : 1;
  uint64_t count = 0;
  return Describe(waiter, before + 1, &count).back();
}

std::vector<Dependencies::Unmet> Dependencies::UnmetOf(TaskId first, size_t limit, uint64_t* count) const {
  *count = 0;
  const auto found = waiters_.find(first);
  return found == waiters_.end() ? std::vector<Unmet>() : Describe(found->second, limit, count);
}

void Dependencies::CheckInvariants(const OpenIn& open_in) const {
  absl::flat_hash_map<std::pair<TaskId, uint32_t>, uint32_t> parts;
  const auto check = [&](TaskRange range, const Source& source) {
    MUSTER_CHECK(source.open == open_in(range));
    MUSTER_CHECK(!source.Told() && !source.edges.empty());
    for (const Edge& edge : source.edges) {
      const auto found = waiters_.find(edge.waiter);
      if (found == waiters_.end()) continue;
      const bool any = IsAny(found->second.needs[edge.need].condition);
      MUSTER_CHECK(any || source.known || source.ticket != 0);
      if (!any || source.open > 0) ++parts[{edge.waiter, edge.need}];
    }
  };
  for (const auto& [task, source] : singles_) check({task, 1}, source);
  for (const auto& [range, source] : ranges_) check(range, source);
  uint64_t waiting = 0;
  for (const auto& [first, waiter] : waiters_) {
    MUSTER_CHECK(waiter.waiting > 0 && waiter.waiting <= waiter.count);
    waiting += waiter.waiting;
    uint32_t unmet = 0;
    for (uint32_t need = 0; need < waiter.needs.size(); ++need) {
      const auto found = parts.find({first, need});
      MUSTER_CHECK(waiter.needs[need].parts == (found == parts.end() ? 0 : found->second));
      unmet += IsMet(waiter.needs[need]) ? 0 : 1;
    }
    MUSTER_CHECK(waiter.impossible != kNone || waiter.unmet == unmet);
    MUSTER_CHECK(waiter.decided == (waiter.impossible != kNone || unmet == 0));
  }
  MUSTER_CHECK(waiting == waiting_);
}

}  // namespace muster::core
