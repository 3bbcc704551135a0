#include "master/balancer/filters.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/domain/resources.h"

namespace muster::balancer {
namespace {

const ExecutorOffer* FindExecutor(const WorkerOffer& offer, const std::string& name) {
  for (const ExecutorOffer& executor : offer.executors) {
    if (executor.name == name) return &executor;
  }
  return nullptr;
}

bool HasExecutor(const WorkerOffer& offer, const std::string& name) {
  const ExecutorOffer* executor = FindExecutor(offer, name);
  return executor != nullptr && executor->healthy;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool HasNeed(const WorkerOffer& offer, const Need& need) {
  for (const auto& label : offer.labels) {
    if (label.first == need.name && (!need.has_value || label.second == need.value)) return true;
  }
  if (need.has_value) return false;
  if (Contains(offer.capabilities, need.name)) return true;
  for (const ExecutorOffer& executor : offer.executors) {
    if (executor.healthy && Contains(executor.capabilities, need.name)) return true;
  }
  return false;
}

std::string Bytes(int64_t bytes) {
  constexpr int64_t kMebi = 1 << 20;
  if (bytes >= kMebi && bytes % kMebi == 0) return absl::StrCat(bytes / kMebi, " MiB");
  return absl::StrCat(bytes, " bytes");
}

// "has 4 slots free, 8 are asked for"; `which` is " free" or nothing.
Why Shortage(const ResourceAmounts& have, const ResourceAmounts& want, std::string_view which_view) {
  std::string which(which_view);
  if (want.slots > have.slots) {
    return absl::StrCat("has ", have.slots, have.slots == 1 ? " slot" : " slots", which, ", ", want.slots,
                        want.slots == 1 ? " is" : " are", " asked for");
  }
  if (want.cpu_millis > 0 && want.cpu_millis > have.cpu_millis) {
    return absl::StrCat("has ", have.cpu_millis, " thousandths of a cpu", which, ", ", want.cpu_millis,
                        " are asked for");
  }
  if (want.memory_bytes > 0 && want.memory_bytes > have.memory_bytes) {
    return absl::StrCat("has ", Bytes(have.memory_bytes), " of memory", which, ", ", Bytes(want.memory_bytes),
                        " are asked for");
  }
  for (const auto& entry : want.named) {
    int64_t amount = AmountOf(have, entry.first);
    if (entry.second > amount) {
      return absl::StrCat("has ", amount, " of resource ", entry.first, which, ", ", entry.second, " asked for");
    }
  }
  return std::nullopt;
}

}  // namespace

Why LacksExecutor(const WorkerOffer& offer, const std::string& executor) {
  const ExecutorOffer* found = FindExecutor(offer, executor);
  if (found == nullptr) return absl::StrCat("does not offer executor ", executor);
  if (found->healthy) return std::nullopt;
  return absl::StrCat("executor ", executor, " is unhealthy", found->reason.empty() ? "" : ": ", found->reason);
}

Why LacksNeed(const WorkerOffer& offer, const Need& need) {
  if (HasNeed(offer, need)) return std::nullopt;
  return absl::StrCat("has no label ", NeedText(need));
}

Why LacksNeeds(const WorkerOffer& offer, const Requirements& requirements) {
  for (const Need& need : requirements.needs) {
    if (Why why = LacksNeed(offer, need)) return why;
  }
  return std::nullopt;
}

Why NeverFits(const WorkerOffer& offer, const ResourceAmounts& want) { return Shortage(offer.capacity, want, ""); }

Why TakesNothing(const WorkerFacts& worker) {
  if (worker.TakesWork()) return std::nullopt;
  if (worker.state == WorkerState::kActive) return absl::StrCat("takes nothing new: ", worker.takes_nothing_because);
  std::string state(WorkerStateName(worker.state));
  if (worker.takes_nothing_because.empty()) return absl::StrCat("is ", state);
  return absl::StrCat("is ", state, ": ", worker.takes_nothing_because);
}

Why DoesNotFitNow(const WorkerFacts& worker, const ResourceAmounts& want) {
  if (worker.FreeSlots() == 0 && worker.Limited()) {
    return absl::StrCat("takes one attempt at a time", worker.limited_because.empty() ? "" : ": ", worker.limited_because);
  }
  if (worker.FreeSlots() == 0) return absl::StrCat("has none of its ", worker.offer.capacity.slots, " slots free");
  return Shortage(Subtract(worker.offer.capacity, worker.used), want, " free");
}

Why IsAvoided(const WorkerFacts& worker, WorkerId avoid) {
  if (!avoid || worker.id != avoid) return std::nullopt;
  return "just failed this task";
}

bool MatchesStatically(const WorkerOffer& offer, const std::string& executor, const std::vector<Need>& needs) {
  return HasExecutor(offer, executor) &&
         std::all_of(needs.begin(), needs.end(), [&offer](const Need& need) { return HasNeed(offer, need); });
}

std::string NeedText(const Need& need) { return need.has_value ? absl::StrCat(need.name, "=", need.value) : need.name; }

std::optional<Rejection> FirstRejection(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid) {
  if (Why why = LacksExecutor(worker.offer, requirements.executor)) return Rejection{"executor", *why};
  if (Why why = LacksNeeds(worker.offer, requirements)) return Rejection{"needs", *why};
  if (Why why = NeverFits(worker.offer, requirements.resources)) return Rejection{"resources", *why};
  if (Why why = TakesNothing(worker)) return Rejection{"state", *why};
  if (Why why = DoesNotFitNow(worker, requirements.resources)) return Rejection{"room", *why};
  if (Why why = IsAvoided(worker, avoid)) return Rejection{"avoid", *why};
  return std::nullopt;
}

}  // namespace muster::balancer
