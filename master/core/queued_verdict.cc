#include "master/core/queued_verdict.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "master/core/holds.h"

namespace muster::core {
namespace {

using balancer::Analysis;
using balancer::Hopeless;
using balancer::Miss;
using balancer::MissGroup;
using balancer::Obstacle;

std::string SlotsTaken(const Analysis& workers) {
  return absl::StrCat(workers.used_slots, " of ", CountWords(workers.slots, "slot", "slots"), " taken");
}

ReasonCode CodeOfHopeless(Hopeless hopeless) {
  switch (hopeless) {
    case Hopeless::kNo:
    case Hopeless::kNoWorkers: return ReasonCode::kNoWorkers;
    case Hopeless::kNoExecutor: return ReasonCode::kNoExecutor;
    case Hopeless::kUnhealthyExecutor: return ReasonCode::kExecutorUnhealthy;
    case Hopeless::kLacksNeed: return ReasonCode::kNoWorkerHasNeed;
    case Hopeless::kLacksIsolation: return ReasonCode::kNoWorkerIsolates;
    case Hopeless::kTooOld: return ReasonCode::kNoWorkerValidates;
    case Hopeless::kHasExcluded: return ReasonCode::kNoWorkerWithoutAvoided;
    case Hopeless::kNoneHasAll: return ReasonCode::kNoWorkerHasAll;
    case Hopeless::kTooSmall: return ReasonCode::kNoWorkerEverFits;
  }
  return ReasonCode::kNoWorkers;
}

ReasonCode CodeOfState(const Miss& state) {
  if (state.obstacle == Obstacle::kRefuses) return ReasonCode::kWorkersRefuse;
  if (state.obstacle == Obstacle::kHeld) return ReasonCode::kWorkersHeld;
  switch (static_cast<WorkerState>(state.which)) {
    case WorkerState::kDraining: return ReasonCode::kWorkersDraining;
    case WorkerState::kQuarantined: return ReasonCode::kWorkersQuarantined;
    default: return ReasonCode::kWorkersSuspect;
  }
}

// The workers that could take it take nothing new; the state of most of them is the reason.
Verdict NobodyTakesWork(const Cluster& cluster, const Task& task, const Analysis& workers) {
  std::vector<std::string> words;
  std::optional<ReasonCode> code;
  for (const MissGroup& group : workers.groups) {
    if (balancer::FilterOf(group.miss) != "state") continue;
    if (!code) code = CodeOfState(group.miss);
    for (const WorkerId worker : group.examples) {
      const WorkerFacts& facts = cluster.workers.facts(worker);
      words.push_back(absl::StrCat("worker ", facts.name, " ", MissText(group.miss, facts, task.spec().requirements)));
    }
  }
  if (words.size() > Analysis::kExamples) words.resize(Analysis::kExamples);
  return {code.value_or(ReasonCode::kWorkersSuspect),
          absl::StrCat("No worker that could take it takes new work: ", absl::StrJoin(words, "; "), ".")};
}

Verdict ResourceIsShort(const Cluster& cluster, const Task& task, const Analysis& workers) {
  std::string example;
  for (const MissGroup& group : workers.groups) {
    if (group.miss.obstacle != Obstacle::kNoRoom || group.miss.which == balancer::kSlots) continue;
    const WorkerFacts& facts = cluster.workers.facts(group.examples.front());
    example = absl::StrCat(": worker ", facts.name, " ", MissText(group.miss, facts, task.spec().requirements));
    break;
  }
  return {ReasonCode::kWaitsForResource, absl::StrCat("Slots are free, but not all else that it asks for", example, ".")};
}

// Those that could take it take one attempt at a time, and have it or pause before the next.
std::optional<Verdict> AllAreLimited(const Cluster& cluster, const Task& task, const Analysis& workers) {
  const auto limited = [&](WorkerId worker) { return cluster.workers.facts(worker).Limited(); };
  if (!std::all_of(workers.candidates.begin(), workers.candidates.end(), limited)) return std::nullopt;
  const WorkerFacts& facts = cluster.workers.facts(workers.candidates.front());
  return Verdict{ReasonCode::kWaitsForSlot,
                 absl::StrCat("After failures, no worker that could take it takes more than one attempt at a time: worker ",
                              facts.name, " ", balancer::DoesNotFitNow(facts, task.spec().requirements.resources).value_or(""), ".")};
}

Verdict NoRoom(const Cluster& cluster, const Task& task, const Analysis& workers, const QueuePosition& position) {
  if (auto limited = AllAreLimited(cluster, task, workers)) return *std::move(limited);
  const std::string more = position.more ? "at least " : "";
  const std::string full = absl::StrCat("No worker has room for it (", SlotsTaken(workers), "), and ", more);
  const uint64_t earlier = position.competing - position.competing_by_priority;
  if (position.competing_by_priority > 0) {
    return {ReasonCode::kBehindHigherPriority,
            absl::StrCat(full, CountWords(position.competing_by_priority, "task", "tasks"), " of higher priority",
                         earlier == 0 ? "" : absl::StrCat(" and ", earlier, " that waited for longer"),
                         position.competing == 1 ? " is" : " are", " before it in queue ", position.queue, ".")};
  }
  if (earlier > 0) {
    return {ReasonCode::kBehindEarlier, absl::StrCat(full, CountWords(earlier, "task", "tasks"), " that waited for longer ",
                                                     earlier == 1 ? "is" : "are", " before it in queue ",
                                                     position.queue, ".")};
  }
  if (workers.slots_are_free) return ResourceIsShort(cluster, task, workers);
  const uint32_t wanted = task.spec().requirements.resources.slots;
  if (wanted > 1) {
    return {ReasonCode::kWaitsForSlot, absl::StrCat("It asks for ", wanted, " slots on one worker, and no worker has so many free (",
                                                    SlotsTaken(workers), ").")};
  }
  return {ReasonCode::kWaitsForSlot, absl::StrCat("It is next, and waits for a free slot: ", SlotsTaken(workers), ".")};
}

Verdict AvoidsFailedWorker(const Cluster& cluster, const Task& task, const Analysis& workers) {
  return {ReasonCode::kAvoidsFailedWorker,
          absl::StrCat("Worker ", cluster.NameOf(task.avoid), " has room but just failed it; it waits for ",
                       workers.candidates.size() == 2 ? "the other worker" : "another one of the workers",
                       " that could take it.")};
}

Verdict IsEmptiedForIt(const Cluster& cluster, const Task& task, WorkerId worker) {
  const WorkerFacts& facts = cluster.workers.facts(worker);
  return {ReasonCode::kRoomIsHeld,
          absl::StrCat("Worker ", facts.name, " takes nothing else until it has room for it: it ",
                       balancer::DoesNotFitNow(facts, task.spec().requirements.resources).value_or("has it"), "."),
          absl::InfiniteFuture(), facts.name};
}

}  // namespace

Verdict JudgeQueued(const Cluster& cluster, const Task& task, const Analysis& workers, const QueuePosition& position) {
  if (workers.starts_on) {
    const std::string& name = cluster.workers.name(*workers.starts_on);
    return {ReasonCode::kStartsNow, absl::StrCat("Worker ", name, " can take it now."), absl::InfiniteFuture(), name};
  }
  if (workers.hopeless != Hopeless::kNo) {
    return {CodeOfHopeless(workers.hopeless),
            Sentence(absl::StrJoin(cluster.balancer.WhyInfeasible(task.spec().requirements), "; "))};
  }
  if (const auto held = EmptiedFor(cluster, task.id)) return IsEmptiedForIt(cluster, task, *held);
  if (workers.nearest_misses == std::vector<Miss>(1, Miss{Obstacle::kAvoided})) return AvoidsFailedWorker(cluster, task, workers);
  if (!workers.candidates.empty()) return NoRoom(cluster, task, workers, position);
  return NobodyTakesWork(cluster, task, workers);
}

}  // namespace muster::core
