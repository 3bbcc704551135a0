#include "master/scheduler/cluster_resources.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster::scheduler {

ClusterResources::ClusterResources(std::map<std::string, int64_t> totals, absl::Duration reservation_after)
    : reservation_after_(reservation_after) {
  for (auto& [name, total] : totals) resources_[name].total = total;
}

// --- What runs.

void ClusterResources::Start(TaskId task, const Amounts& amounts) {
  for (const auto& [name, amount] : amounts) {
    Resource& resource = resources_.at(name);
    resource.used += amount;
    MUSTER_CHECK(resource.takers.try_emplace(task, amount).second);
  }
}

void ClusterResources::Stop(TaskId task, const Amounts& amounts) {
  for (const auto& [name, amount] : amounts) {
    Resource& resource = resources_.at(name);
    MUSTER_CHECK(resource.takers.erase(task) == 1);
    resource.used -= amount;
    Release(&resource);
  }
}

// --- What waits.

std::optional<ClusterResources::Lack> ClusterResources::LackOf(const Asker& asker, absl::Time now,
                                                               MayStart may_start) const {
  for (const auto& [name, amount] : asker.amounts) {
    const Resource& resource = resources_.at(name);
    if (resource.free() < amount) return Lack{name, amount, TaskId()};
    const auto kept_for = KeptFor(resource, asker, amount, now - reservation_after_, may_start);
    if (kept_for.has_value()) return Lack{name, amount, *kept_for};
  }
  return std::nullopt;
}

// Whose claim comes before the asker and would be hurt by it.
std::optional<TaskId> ClusterResources::KeptFor(const Resource& resource, const Asker& asker, int64_t amount,
                                                absl::Time matured, MayStart may_start) {
  for (const auto& [place, claim] : resource.line) {
    if (place >= Place{asker.order, asker.task}) return std::nullopt;
    if (claim.since > matured || !may_start(place.second)) continue;
    if (claim.cls == asker.cls) return std::nullopt;
    if (resource.free() - amount >= claim.amount) return std::nullopt;
    return place.second;
  }
  return std::nullopt;
}

void ClusterResources::Wait(const Asker& asker, const Lack& lack, absl::Time now) {
  if (lack.kept_for) outdone_.insert(asker.cls);
  const bool can_ever = !NeverEnough(asker.amounts).has_value();
  Waiting& waiting = waiting_.try_emplace(asker.task, Waiting{now, asker.order, {}}).first->second;
  MUSTER_CHECK(waiting.order == asker.order);
  const bool stands = !waiting.names.empty();
  for (const auto& [name, amount] : asker.amounts) {
    Resource& resource = resources_.at(name);
    resource.held.insert(asker.cls);
    if (stands || !can_ever) continue;
    resource.line[{asker.order, asker.task}] = {asker.cls, amount, waiting.since};
    waiting.names.push_back(name);
  }
}

void ClusterResources::StepOut(const Asker& asker) {
  std::vector<TaskId> tasks;  // who stands in line for one of them stands there for all
  for (const auto& [place, claim] : resources_.at(asker.amounts.front().first).line) {
    if (claim.cls == asker.cls) tasks.push_back(place.second);
  }
  for (const TaskId task : tasks) StepOut(task);
}

void ClusterResources::StepOut(TaskId task) {
  const auto found = waiting_.find(task);
  if (found == waiting_.end()) return;
  for (const std::string& name : std::exchange(found->second.names, {})) {
    Resource& resource = resources_.at(name);
    MUSTER_CHECK(resource.line.erase({found->second.order, task}) == 1);
    Release(&resource);
  }
}

void ClusterResources::Leave(TaskId task) {
  StepOut(task);
  waiting_.erase(task);
}

bool ClusterResources::LookAgain() {
  if (outdone_.empty()) return false;
  freed_.insert(freed_.end(), outdone_.begin(), outdone_.end());
  outdone_.clear();
  return true;
}

void ClusterResources::Release(Resource* resource) {
  freed_.insert(freed_.end(), resource->held.begin(), resource->held.end());
  resource->held.clear();
}

std::vector<ClassId> ClusterResources::TakeFreed() { return std::exchange(freed_, {}); }

// --- Reads.

std::optional<ClusterResources::Status> ClusterResources::NeverEnough(const Amounts& amounts) const {
  for (const auto& [name, amount] : amounts) {
    if (resources_.at(name).total < amount) return StatusOf(name);
  }
  return std::nullopt;
}

ClusterResources::Status ClusterResources::StatusOf(std::string_view name) const {
  const auto found = resources_.find(name);
  MUSTER_CHECK(found != resources_.end());
  const Resource& resource = found->second;
  return {found->first, resource.total, resource.used, resource.line.size()};
}

std::vector<ClusterResources::Status> ClusterResources::All() const {
  std::vector<Status> all;
  for (const auto& entry : resources_) all.push_back(StatusOf(entry.first));
  return all;
}

bool ClusterResources::AreFree(const Amounts& amounts) const {
  return std::all_of(amounts.begin(), amounts.end(),
                     [this](const auto& entry) { return resources_.at(entry.first).free() >= entry.second; });
}

std::vector<TaskId> ClusterResources::TakersOf(std::string_view name) const {
  std::vector<TaskId> tasks;
  for (const auto& taker : resources_.find(name)->second.takers) tasks.push_back(taker.first);
  return tasks;
}

void ClusterResources::CheckInvariants() const {
  size_t places = 0;
  for (const auto& entry : resources_) {
    const Resource& resource = entry.second;
    int64_t used = 0;
    for (const auto& taker : resource.takers) used += taker.second;
    MUSTER_CHECK(used == resource.used);
    for (const auto& [place, claim] : resource.line) {
      MUSTER_CHECK(claim.amount <= resource.total && !resource.takers.contains(place.second));
      MUSTER_CHECK(waiting_.at(place.second).order == place.first && waiting_.at(place.second).since == claim.since);
    }
    places += resource.line.size();
  }
  for (const auto& waiting : waiting_) places -= waiting.second.names.size();
  MUSTER_CHECK(places == 0);
}

}  // namespace muster::scheduler
