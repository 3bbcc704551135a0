#include "master/balancer/filters.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/domain/isolation.h"
#include "common/domain/resources.h"
#include "common/domain/validation.h"

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

// A tier is the command executor's to offer: labels and other plugins say what they like.
bool OffersTier(const WorkerOffer& offer, const std::string& tier) {
  const ExecutorOffer* const command = FindExecutor(offer, "command");
  return command != nullptr && command->healthy && Contains(command->capabilities, tier);
}

bool HasNeed(const WorkerOffer& offer, const Need& need) {
  if (!need.has_value && !TierOf(need.name).empty()) return OffersTier(offer, need.name);
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

// What of one resource is asked for, and what an amount holds of it.
int64_t Wanted(const ResourceAmounts& want, uint16_t which) {
  switch (which) {
    case kSlots: return want.slots;
    case kCpu: return want.cpu_millis;
    case kMemory: return want.memory_bytes;
    case kDisk: return want.disk_bytes;
    default: return want.named[which - kFirstNamed].second;
  }
}

int64_t Held(const ResourceAmounts& amounts, const ResourceAmounts& want, uint16_t which) {
  if (which < kFirstNamed) return Wanted(amounts, which);
  return AmountOf(amounts, want.named[which - kFirstNamed].first);
}

int64_t Free(const WorkerFacts& worker, const ResourceAmounts& want, uint16_t which) {
  return Held(worker.offer.capacity, want, which) - Held(worker.used, want, which);
}

uint16_t ResourceKinds(const ResourceAmounts& want) { return static_cast<uint16_t>(kFirstNamed + want.named.size()); }

bool IsInBytes(uint16_t which) { return which == kMemory || which == kDisk; }

// Cpu, memory and disk that nobody asked for are not counted.
bool IsShort(int64_t have, const ResourceAmounts& want, uint16_t which) {
  const int64_t wanted = Wanted(want, which);
  if ((which == kCpu || IsInBytes(which)) && wanted <= 0) return false;
  return wanted > have;
}

// "2 slots", "6 GiB of memory", "3 of resource gpu"
std::string AmountText(int64_t amount, const ResourceAmounts& want, uint16_t which) {
  switch (which) {
    case kSlots: return absl::StrCat(amount, amount == 1 ? " slot" : " slots");
    case kCpu: return CpuText(amount);
    case kMemory: return absl::StrCat(BytesText(amount), " of memory");
    case kDisk: return absl::StrCat(BytesText(amount), " of disk");
    default: return absl::StrCat(amount, " of resource ", want.named[which - kFirstNamed].first);
  }
}

// "has 4 slots free, 8 are asked for"; `state` is " free" or nothing.
std::string ShortageText(int64_t have, const ResourceAmounts& want, uint16_t which, const char* state) {
  const int64_t wanted = Wanted(want, which);
  const std::string asked = which == kCpu      ? CpuText(wanted)
                            : IsInBytes(which) ? BytesText(wanted)
                                               : absl::StrCat(wanted);
  return absl::StrCat("has ", AmountText(std::max<int64_t>(0, have), want, which), state, ", ", asked,
                      asked == "1" || asked == "1 cpu" ? " is" : " are", " asked for");
}

std::string LessThanText(const ResourceAmounts& want, uint16_t which, const char* state) {
  return absl::StrCat("has ", which == kSlots ? "fewer than " : "less than ", AmountText(Wanted(want, which), want, which), state);
}

void FindStaticMisses(const WorkerOffer& offer, const Requirements& requirements, std::vector<Miss>* misses) {
  const ExecutorOffer* const executor = FindExecutor(offer, requirements.executor);
  if (executor == nullptr) {
    misses->push_back({Obstacle::kNoExecutor});
  } else if (!executor->healthy) {
    misses->push_back({Obstacle::kUnhealthyExecutor});
  }
  for (size_t i = 0; i < requirements.needs.size(); ++i) {
    if (!HasNeed(offer, requirements.needs[i])) misses->push_back({Obstacle::kLacksNeed, static_cast<uint16_t>(i)});
  }
  for (size_t i = 0; i < requirements.excludes.size(); ++i) {
    if (HasNeed(offer, requirements.excludes[i])) misses->push_back({Obstacle::kHasExcluded, static_cast<uint16_t>(i)});
  }
  const ResourceAmounts& want = requirements.resources;
  for (uint16_t which = 0; which < ResourceKinds(want); ++which) {
    const int64_t have = Held(offer.capacity, want, which);
    if (IsShort(have, want, which) || (which == kSlots && have == 0)) misses->push_back({Obstacle::kTooSmall, which});
  }
}

std::string TierText(const Need& need) { return absl::StrCat("isolation ", std::string(TierOf(need.name))); }

std::string LacksText(const Need& need) {
  if (IsForValidation(need)) return "is of an older version, which validates nothing";
  if (IsForIsolation(need)) return absl::StrCat("does not offer ", TierText(need));
  return absl::StrCat("has no label ", NeedText(need));
}

Miss WhyNothing(const WorkerFacts& worker) {
  if (worker.InOrder()) return {Obstacle::kHeld};
  if (worker.state == WorkerState::kActive) return {Obstacle::kRefuses};
  return {Obstacle::kState, static_cast<uint16_t>(worker.state)};
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
  return LacksText(need);
}

Why LacksNeeds(const WorkerOffer& offer, const Requirements& requirements) {
  for (const Need& need : requirements.needs) {
    if (Why why = LacksNeed(offer, need)) return why;
  }
  return std::nullopt;
}

Why HasExcluded(const WorkerOffer& offer, const Need& excluded) {
  if (!HasNeed(offer, excluded)) return std::nullopt;
  return absl::StrCat("has label ", NeedText(excluded), ", which the task avoids");
}

Why NeverFits(const WorkerOffer& offer, const ResourceAmounts& want) {
  for (uint16_t which = 0; which < ResourceKinds(want); ++which) {
    const int64_t have = Held(offer.capacity, want, which);
    if (IsShort(have, want, which)) return ShortageText(have, want, which, "");
  }
  return std::nullopt;
}

Why TakesNothing(const WorkerFacts& worker) {
  if (worker.TakesWork()) return std::nullopt;
  if (worker.InOrder()) return worker.held_because;
  if (worker.state == WorkerState::kActive) return absl::StrCat("takes nothing new: ", worker.takes_nothing_because);
  std::string state(WorkerStateName(worker.state));
  if (worker.takes_nothing_because.empty()) return absl::StrCat("is ", state);
  return absl::StrCat("is ", state, ": ", worker.takes_nothing_because);
}

Why DoesNotFitNow(const WorkerFacts& worker, const ResourceAmounts& want) {
  if (worker.FreeSlots() == 0 && worker.Limited()) {
    return absl::StrCat("takes ", worker.limited_because.empty() ? "one attempt at a time" : worker.limited_because);
  }
  if (worker.FreeSlots() == 0) return absl::StrCat("has none of its ", worker.offer.capacity.slots, " slots free");
  for (uint16_t which = 0; which < ResourceKinds(want); ++which) {
    const int64_t have = Free(worker, want, which);
    if (IsShort(have, want, which)) return ShortageText(have, want, which, " free");
  }
  return std::nullopt;
}

Why IsAvoided(const WorkerFacts& worker, WorkerId avoid) {
  if (!avoid || worker.id != avoid) return std::nullopt;
  return "just failed this task";
}

bool MatchesStatically(const WorkerOffer& offer, const std::string& executor, const std::vector<Need>& needs,
                       const std::vector<Need>& excludes) {
  const auto has = [&offer](const Need& need) { return HasNeed(offer, need); };
  return HasExecutor(offer, executor) && std::all_of(needs.begin(), needs.end(), has) &&
         std::none_of(excludes.begin(), excludes.end(), has);
}

bool MatchesStatically(const WorkerOffer& offer, const Requirements& requirements) {
  return MatchesStatically(offer, requirements.executor, requirements.needs, requirements.excludes);
}

bool CouldServe(const WorkerOffer& offer, const Requirements& requirements) {
  return MatchesStatically(offer, requirements) && Fits(offer.capacity, {}, requirements.resources);
}

bool IsForValidation(const Need& need) { return !need.has_value && need.name == kValidationCapability; }

bool IsForIsolation(const Need& need) { return !need.has_value && !TierOf(need.name).empty(); }

std::string AskedText(const Need& need) {
  if (IsForValidation(need)) return "a version that validates";
  return IsForIsolation(need) ? TierText(need) : absl::StrCat("label ", NeedText(need));
}

std::string NeedText(const Need& need) { return need.has_value ? absl::StrCat(need.name, "=", need.value) : need.name; }

std::string BytesText(int64_t bytes) {
  constexpr int64_t kMebi = int64_t{1} << 20;
  constexpr int64_t kGibi = int64_t{1} << 30;
  if (bytes >= kGibi && bytes % kGibi == 0) return absl::StrCat(bytes / kGibi, " GiB");
  // Nobody reads a machine's memory to the byte.
  if (bytes >= 64 * kMebi || (bytes >= kMebi && bytes % kMebi == 0)) return absl::StrCat(bytes / kMebi, " MiB");
  return absl::StrCat(bytes, " bytes");
}

std::string CpuText(int64_t cpu_millis) {
  const std::string amount = absl::StrCat(static_cast<double>(cpu_millis) / 1000);
  return absl::StrCat(amount, amount == "1" ? " cpu" : " cpus");
}

void FindMisses(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid,
                std::vector<Miss>* misses) {
  misses->clear();
  FindStaticMisses(worker.offer, requirements, misses);
  const size_t static_misses = misses->size();
  if (!worker.TakesWork()) misses->push_back(WhyNothing(worker));
  const bool full = worker.FreeSlots() == 0;
  if (full && worker.Limited()) misses->push_back({Obstacle::kLimited});
  const ResourceAmounts& want = requirements.resources;
  for (uint16_t which = 0; which < ResourceKinds(want); ++which) {
    const Miss too_small{Obstacle::kTooSmall, which};
    const auto end = misses->begin() + static_cast<std::ptrdiff_t>(static_misses);
    if (std::find(misses->begin(), end, too_small) != end) continue;
    const bool no_slot = which == kSlots && full && !worker.Limited();
    if (no_slot || IsShort(Free(worker, want, which), want, which)) misses->push_back({Obstacle::kNoRoom, which});
  }
  if (avoid && worker.id == avoid) misses->push_back({Obstacle::kAvoided});
}

bool IsStatic(const Miss& miss) { return miss.obstacle <= Obstacle::kTooSmall; }

std::string_view FilterOf(const Miss& miss) {
  switch (miss.obstacle) {
    case Obstacle::kNoExecutor:
    case Obstacle::kUnhealthyExecutor: return "executor";
    case Obstacle::kLacksNeed: return "needs";
    case Obstacle::kHasExcluded: return "excludes";
    case Obstacle::kTooSmall: return "resources";
    case Obstacle::kState:
    case Obstacle::kRefuses:
    case Obstacle::kHeld: return "state";
    case Obstacle::kLimited:
    case Obstacle::kNoRoom: return "room";
    case Obstacle::kAvoided: return "avoid";
  }
  return "";
}

std::string CauseText(const Miss& miss, const Requirements& requirements) {
  const ResourceAmounts& want = requirements.resources;
  switch (miss.obstacle) {
    case Obstacle::kNoExecutor: return absl::StrCat("does not offer executor ", requirements.executor);
    case Obstacle::kUnhealthyExecutor: return absl::StrCat("executor ", requirements.executor, " is unhealthy");
    case Obstacle::kLacksNeed: return LacksText(requirements.needs[miss.which]);
    case Obstacle::kHasExcluded:
      return absl::StrCat("has label ", NeedText(requirements.excludes[miss.which]), ", which the task avoids");
    case Obstacle::kTooSmall: return LessThanText(want, miss.which, "");
    case Obstacle::kState: return absl::StrCat("is ", std::string(WorkerStateName(static_cast<WorkerState>(miss.which))));
    case Obstacle::kRefuses: return "takes nothing new";
    case Obstacle::kHeld: return "is emptied for a task that is wider";
    case Obstacle::kLimited: return "takes one attempt at a time after failures";
    case Obstacle::kNoRoom:
      return miss.which == kSlots && want.slots <= 1 ? "has no slot free" : LessThanText(want, miss.which, " free");
    case Obstacle::kAvoided: return "just failed this task";
  }
  return "";
}

std::string MissText(const Miss& miss, const WorkerFacts& worker, const Requirements& requirements) {
  const ResourceAmounts& want = requirements.resources;
  switch (miss.obstacle) {
    case Obstacle::kNoExecutor:
    case Obstacle::kUnhealthyExecutor: return LacksExecutor(worker.offer, requirements.executor).value_or("");
    case Obstacle::kTooSmall: return ShortageText(Held(worker.offer.capacity, want, miss.which), want, miss.which, "");
    case Obstacle::kState:
    case Obstacle::kRefuses:
    case Obstacle::kHeld: return TakesNothing(worker).value_or("");
    case Obstacle::kLimited: return DoesNotFitNow(worker, want).value_or("");
    case Obstacle::kNoRoom:
      if (miss.which == kSlots && worker.FreeSlots() == 0 && !worker.Limited()) return DoesNotFitNow(worker, want).value_or("");
      return ShortageText(Free(worker, want, miss.which), want, miss.which, " free");
    case Obstacle::kLacksNeed:
    case Obstacle::kHasExcluded:
    case Obstacle::kAvoided: return CauseText(miss, requirements);
  }
  return "";
}

std::optional<Rejection> FirstRejection(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid) {
  std::vector<Miss> misses;
  FindMisses(worker, requirements, avoid, &misses);
  if (misses.empty()) return std::nullopt;
  return Rejection{FilterOf(misses.front()), MissText(misses.front(), worker, requirements)};
}

std::optional<Requirements> Without(const std::vector<Miss>& misses, const WorkerFacts& worker,
                                    const Requirements& requirements) {
  Requirements left = requirements;
  for (const Miss& miss : misses) {
    if (miss.obstacle == Obstacle::kLacksNeed) {
      if (IsForValidation(requirements.needs[miss.which])) return std::nullopt;
      std::erase(left.needs, requirements.needs[miss.which]);
      continue;
    }
    if (miss.obstacle == Obstacle::kHasExcluded) {
      std::erase(left.excludes, requirements.excludes[miss.which]);
      continue;
    }
    if (miss.obstacle != Obstacle::kTooSmall && miss.obstacle != Obstacle::kNoRoom) return std::nullopt;
    const int64_t free = std::max<int64_t>(0, Free(worker, requirements.resources, miss.which));
    if (miss.which == kSlots) {
      if (free == 0) return std::nullopt;
      left.resources.slots = static_cast<uint32_t>(free);
    } else if (miss.which == kCpu) {
      left.resources.cpu_millis = free;
    } else if (IsInBytes(miss.which)) {
      constexpr int64_t kMebi = int64_t{1} << 20;
      int64_t& bytes = miss.which == kDisk ? left.resources.disk_bytes : left.resources.memory_bytes;
      bytes = free / kMebi * kMebi;  // a figure that a person can type
    } else {
      left.resources.named[miss.which - kFirstNamed].second = free;
    }
  }
  std::erase_if(left.resources.named, [](const auto& entry) { return entry.second == 0; });
  return left;
}

std::string ChangeText(const Requirements& from, const Requirements& to) {
  std::vector<std::string> with;
  std::vector<std::string> without;
  const ResourceAmounts& before = from.resources;
  const ResourceAmounts& after = to.resources;
  if (after.slots != before.slots) with.push_back(AmountText(after.slots, after, kSlots));
  if (after.cpu_millis != before.cpu_millis) {
    if (after.cpu_millis > 0) with.push_back(absl::StrCat("cpu <= ", static_cast<double>(after.cpu_millis) / 1000));
    if (after.cpu_millis == 0) without.push_back("cpu");
  }
  const auto note_bytes = [&](const char* name, int64_t asked, int64_t left) {
    if (left == asked) return;
    if (left > 0) with.push_back(absl::StrCat(name, " <= ", BytesText(left)));
    if (left == 0) without.push_back(name);
  };
  note_bytes("memory", before.memory_bytes, after.memory_bytes);
  note_bytes("disk", before.disk_bytes, after.disk_bytes);
  for (const auto& [name, amount] : before.named) {
    const int64_t left = AmountOf(after, name);
    if (left == amount) continue;
    if (left > 0) with.push_back(absl::StrCat("resource ", name, " <= ", left));
    if (left == 0) without.push_back(absl::StrCat("resource ", name));
  }
  for (const Need& need : from.needs) {
    if (std::find(to.needs.begin(), to.needs.end(), need) == to.needs.end()) {
      without.push_back(AskedText(need));
    }
  }
  for (const Need& excluded : from.excludes) {
    if (std::find(to.excludes.begin(), to.excludes.end(), excluded) == to.excludes.end()) {
      with.push_back(absl::StrCat("label ", NeedText(excluded), " allowed"));
    }
  }
  std::vector<std::string> parts;
  if (!with.empty()) parts.push_back(absl::StrCat("with ", absl::StrJoin(with, " and ")));
  if (!without.empty()) parts.push_back(absl::StrCat("without ", absl::StrJoin(without, " and ")));
  return absl::StrJoin(parts, ", ");
}

}  // namespace muster::balancer
