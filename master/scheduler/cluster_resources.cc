#include "master/scheduler/cluster_resources.h"

#include <algorithm>
#include <limits>

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
    changed_ = true;
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
  Place before{asker.order, asker.task};  // the first that has a claim, and is before the asker
  const Claim* first = nullptr;
  const auto consider = [&](const Place& place, const Claim& claim) {
    if (place >= before || !may_start(place.second)) return;
    before = place;
    first = &claim;
  };
  for (auto one = resource.ripe.begin(); one != resource.ripe.end() && one->first < before; ++one) {
    consider(one->first, one->second);
  }
  for (auto one = resource.young.begin(); one != resource.young.end() && one->first.first <= matured; ++one) {
    consider(one->first.second, one->second);
  }
  if (first == nullptr || first->cls == asker.cls || resource.free() - amount >= first->amount) return std::nullopt;
  return before.second;
}

void ClusterResources::Ripen(absl::Time now) {
  const absl::Time matured = now - reservation_after_;
  for (auto& entry : resources_) {
    auto& young = entry.second.young;
    while (!young.empty() && young.begin()->first.first <= matured) {
      entry.second.ripe.emplace(young.begin()->first.second, young.begin()->second);
      young.erase(young.begin());
    }
  }
}

void ClusterResources::Wait(const Asker& asker, absl::Time now) {
  if (NeverEnough(asker.amounts).has_value()) return;
  Waiting& waiting = waiting_.try_emplace(asker.task, Waiting{now, asker.order, asker.cls, {}}).first->second;
  MUSTER_CHECK(waiting.order == asker.order);
  if (!waiting.names.empty()) return;
  waiting.cls = asker.cls;
  in_line_.emplace(asker.cls, asker.task);
  for (const auto& [name, amount] : asker.amounts) {
    resources_.at(name).young[{waiting.since, {asker.order, asker.task}}] = {asker.cls, amount, waiting.since};
    waiting.names.push_back(name);
  }
}

void ClusterResources::StepOut(const Asker& asker) {
  const auto first = [&] { return in_line_.lower_bound({asker.cls, TaskId()}); };
  for (auto one = first(); one != in_line_.end() && one->first == asker.cls; one = first()) StepOut(one->second);
}

void ClusterResources::StepOut(TaskId task) {
  const auto found = waiting_.find(task);
  if (found == waiting_.end() || found->second.names.empty()) return;
  const Place place{found->second.order, task};
  for (const std::string& name : std::exchange(found->second.names, {})) {
    Resource& resource = resources_.at(name);
    MUSTER_CHECK(resource.ripe.erase(place) + resource.young.erase({found->second.since, place}) == 1);
  }
  in_line_.erase({found->second.cls, task});
  changed_ = true;
}

void ClusterResources::Leave(TaskId task) {
  StepOut(task);
  waiting_.erase(task);
}

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
  return {found->first, resource.total, resource.used};
}

std::vector<ClusterResources::Status> ClusterResources::All() const {
  std::vector<Status> all;
  for (const auto& entry : resources_) all.push_back(StatusOf(entry.first));
  return all;
}

uint64_t ClusterResources::TimesFree(const Amounts& amounts) const {
  int64_t times = std::numeric_limits<int64_t>::max();
  for (const auto& [name, amount] : amounts) times = std::min(times, resources_.at(name).free() / amount);
  return static_cast<uint64_t>(std::max<int64_t>(times, 0));
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
    const auto check = [&](const Place& place, const Claim& claim) {
      MUSTER_CHECK(claim.amount <= resource.total && !resource.takers.contains(place.second));
      const Waiting& waiting = waiting_.at(place.second);
      MUSTER_CHECK(waiting.order == place.first && waiting.since == claim.since && waiting.cls == claim.cls);
    };
    for (const auto& [place, claim] : resource.ripe) check(place, claim);
    for (const auto& [since, claim] : resource.young) check(since.second, claim);
    places += resource.ripe.size() + resource.young.size();
  }
  size_t in_line = 0;
  for (const auto& [task, waiting] : waiting_) {
    places -= waiting.names.size();
    if (waiting.names.empty()) continue;
    ++in_line;
    MUSTER_CHECK(in_line_.contains({waiting.cls, task}));
  }
  MUSTER_CHECK(places == 0 && in_line == in_line_.size());
}

}  // namespace muster::scheduler
