#include "master/core/held_room.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/domain/resources.h"
#include "master/balancer/filters.h"
#include "master/core/holds.h"

namespace muster::core {
namespace {

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);
constexpr absl::Duration kFirstHold = absl::Minutes(1);
constexpr uint32_t kMaxDoublings = 10;       // of it: 17 hours
constexpr size_t kMaxWatched = 8;
constexpr size_t kMaxHeadsLookedAt = 4096;
constexpr uint32_t kStartsLookedAt = 64;     // after a look; then every 64th
constexpr size_t kMaxChoices = 4;            // a look
constexpr size_t kShareOfWorkers = 8;

bool MayBeEmptied(const WorkerFacts& worker) {
  return worker.InOrder() && worker.held_because.empty() && !worker.Limited();
}

}  // namespace

// --- Room that is held already.

void HeldRoom::Changed(WorkerId worker) {
  const auto held = cluster_.held_room.find(worker);
  if (held == cluster_.held_room.end()) return;
  ready_.erase(worker);
  if (!cluster_.workers.Contains(worker) || cluster_.queues.SizeOf(held->second.cls) == 0) return LetGoOf(worker);
  const WorkerFacts& facts = cluster_.workers.facts(worker);
  const ResourceAmounts& want = cluster_.queues.key(held->second.cls).requirements.resources;
  if (!facts.InOrder() || facts.Limited()) return LetGoOf(worker);
  if (facts.FreeSlots() > 0 && Fits(facts.offer.capacity, facts.used, want)) ready_.insert(worker);
}

std::optional<WorkerId> HeldRoom::RoomFor(scheduler::ClassId cls) const {
  for (const WorkerId worker : ready_) {
    if (cluster_.held_room.at(worker).cls == cls) return worker;
  }
  return std::nullopt;
}

void HeldRoom::LetGoOf(WorkerId worker) {
  const auto held = cluster_.held_room.find(worker);
  if (--holds_[held->second.cls] == 0) holds_.erase(held->second.cls);
  cluster_.held_room.erase(held);
  ready_.erase(worker);
  if (cluster_.workers.Contains(worker)) cluster_.workers.HoldRoom(worker, "");
  IsAnother(worker);
}

void HeldRoom::IsAnother(WorkerId worker) {
  ++cluster_.offers_revision;
  cluster_.touched.insert(worker);
  if (cluster_.workers.Contains(worker)) cluster_.balancer.Changed(cluster_.workers.facts(worker));
}

void HeldRoom::Starts(const scheduler::NextTask& next, WorkerId worker) {
  NoteOvertaken(next, worker);
  tried_.erase(next.cls);
  if (cluster_.held_room.contains(worker)) return LetGoOf(worker);
  // It found room elsewhere: one of those that are emptied for its class is not needed.
  const uint32_t holds = HoldsOf(next.cls);
  if (holds > 0 && holds >= cluster_.queues.SizeOf(next.cls)) LetGoOfTheFurthest(next.cls);
}

// Of those that are emptied for the class the one that still lacks most.
void HeldRoom::LetGoOfTheFurthest(scheduler::ClassId cls) {
  const ResourceAmounts& want = cluster_.queues.key(cls).requirements.resources;
  std::pair<uint32_t, WorkerId> furthest;
  for (const auto& [worker, held] : cluster_.held_room) {
    if (held.cls != cls) continue;
    const WorkerFacts& facts = cluster_.workers.facts(worker);
    furthest = std::max(furthest, {LackOf(facts.offer.capacity, facts.used, want), worker});
  }
  LetGoOf(furthest.second);
}

void HeldRoom::LetGoOfUnwanted(const Moment& turn) {
  std::vector<WorkerId> unwanted;
  for (const auto& [worker, held] : cluster_.held_room) {
    if (!Wanted(turn, worker, held)) unwanted.push_back(worker);
  }
  for (const WorkerId worker : unwanted) LetGoOf(worker);
  std::vector<scheduler::ClassId> classes;
  for (auto& [worker, held] : cluster_.held_room) {
    classes.push_back(held.cls);
    if (!WaitsIn(held.task, held.cls)) NameOn(worker, Unnamed(held.cls));
  }
  for (const scheduler::ClassId cls : classes) {
    if (HoldsOf(cls) > cluster_.queues.SizeOf(cls)) LetGoOfTheFurthest(cls);
  }
  absl::erase_if(tried_, [this](const auto& entry) { return cluster_.queues.SizeOf(entry.first) == 0; });
}

// A queue at its limit or rate, and a key, open by themselves; a pause is somebody's will.
bool HeldRoom::Wanted(const Moment& turn, WorkerId worker, const HeldFor& held) const {
  if (turn.now >= held.until || !cluster_.workers.Contains(worker) || cluster_.queues.SizeOf(held.cls) == 0) return false;
  const TaskId first = WaitsIn(held.task, held.cls) ? held.task : *cluster_.queues.FirstOf(held.cls, "");
  const std::string& queue = cluster_.tasks.Find(first)->spec().queue;
  return cluster_.gates.Look(queue, turn.now) != scheduler::Gate::kPaused &&
         balancer::CouldServe(cluster_.workers.facts(worker).offer, cluster_.queues.key(held.cls).requirements);
}

void HeldRoom::NameOn(WorkerId worker, TaskId task) {
  cluster_.held_room.at(worker).task = task;
  cluster_.workers.HoldRoom(worker, absl::StrCat("is emptied for task ", IdToText(task.value())));
}

// A task of the class that no worker is emptied for by name; with more rooms than tasks just one of them.
TaskId HeldRoom::Unnamed(scheduler::ClassId cls) const {
  const std::vector<TaskId> first = cluster_.queues.SomeOf(cls, HoldsOf(cls));
  const auto unnamed = std::find_if(first.begin(), first.end(), [this](TaskId task) { return !EmptiedFor(cluster_, task); });
  return unnamed == first.end() ? first.front() : *unnamed;
}

uint32_t HeldRoom::HoldsOf(scheduler::ClassId cls) const {
  const auto found = holds_.find(cls);
  return found == holds_.end() ? 0 : found->second;
}

// One that comes back from an attempt may be of another class.
bool HeldRoom::WaitsIn(TaskId task, scheduler::ClassId cls) const {
  const auto found = cluster_.queues.ClassOf(task);
  return found.has_value() && *found == cls;
}

// --- Who is overtaken.

void HeldRoom::NoteOvertaken(const scheduler::NextTask& next, WorkerId worker) {
  if (watched_.empty()) return;
  if (++starts_ > kStartsLookedAt && starts_ % kStartsLookedAt != 0) return;
  for (Watched& watched : watched_) {
    if (watched.overtaken || watched.cls == next.cls || !WaitsIn(watched.task, watched.cls)) continue;
    watched.overtaken = cluster_.queues.IsBefore(watched.task, next.task) &&
                        balancer::CouldServe(cluster_.workers.facts(worker).offer, cluster_.queues.key(watched.cls).requirements);
  }
}

void HeldRoom::Look(const Moment& turn) {
  if (cluster_.config.reservation_after == absl::ZeroDuration() || turn.now < next_look_) return;
  next_look_ = turn.now + kBetweenLooks;
  LetGoOfUnwanted(turn);
  HoldForTheOvertaken(turn);
  WatchTheLine(turn);
}

// The first in line that have waited for long enough. Those that nobody overtakes although others start, since no
// worker could ever take them for one, make room for the next ones.
void HeldRoom::WatchTheLine(const Moment& turn) {
  const bool in_vain = std::none_of(watched_.begin(), watched_.end(), [](const Watched& one) { return one.overtaken; });
  if (starts_ > 0) passed_over_ = in_vain ? passed_over_ + watched_.size() : 0;
  watched_.clear();
  starts_ = 0;
  size_t looked_at = 0;
  size_t due = 0;
  cluster_.queues.VisitLeftOver([&](const scheduler::NextTask& head) {
    if (cluster_.queues.key(head.cls).requirements.OneSlotOnly()) return ++looked_at < kMaxHeadsLookedAt;
    const Task& task = *cluster_.tasks.Find(head.task);
    if (task.queued_since + cluster_.config.reservation_after <= turn.now && ++due > passed_over_) {
      watched_.push_back({head.task, head.cls});
    }
    return ++looked_at < kMaxHeadsLookedAt && watched_.size() < kMaxWatched;
  });
  if (watched_.empty()) passed_over_ = 0;
}

// --- Whom to empty for it.

void HeldRoom::HoldForTheOvertaken(const Moment& turn) {
  size_t choices = 0;
  for (const Watched& watched : watched_) {
    if (!watched.overtaken || !WaitsIn(watched.task, watched.cls)) continue;
    if (++choices > kMaxChoices || !MoreMayBeEmptied()) return;
    if (HoldsOf(watched.cls) >= cluster_.queues.SizeOf(watched.cls)) continue;
    if (const auto worker = LacksLeast(watched)) Hold(turn, watched, *worker);
  }
}

bool HeldRoom::MoreMayBeEmptied() const {
  size_t in_order = 0;
  for (const WorkerId worker : cluster_.workers.Ids()) in_order += cluster_.workers.facts(worker).InOrder() ? 1 : 0;
  return cluster_.held_room.size() < std::max<size_t>(1, in_order / kShareOfWorkers);
}

// Empty: there is none.
std::optional<WorkerId> HeldRoom::LacksLeast(const Watched& watched) const {
  const scheduler::ClassKey& key = cluster_.queues.key(watched.cls);
  const auto tried = tried_.find(watched.cls);
  using Rank = std::tuple<bool, uint32_t, uint32_t, uint32_t>;
  std::optional<std::pair<Rank, WorkerId>> best;
  for (const WorkerId worker : cluster_.workers.Ids()) {
    const WorkerFacts& facts = cluster_.workers.facts(worker);
    if (!MayBeEmptied(facts) || !balancer::CouldServe(facts.offer, key.requirements)) continue;
    uint32_t in_vain = 0;
    if (tried != tried_.end()) {
      const auto there = tried->second.in_vain.find(worker);
      if (there != tried->second.in_vain.end()) in_vain = there->second;
    }
    const uint32_t lack = LackOf(facts.offer.capacity, facts.used, key.requirements.resources);
    const std::pair<Rank, WorkerId> one({worker == key.avoid, in_vain, lack, facts.used.slots}, worker);
    if (!best || one < *best) best = one;
  }
  if (!best) return std::nullopt;
  return best->second;
}

void HeldRoom::Hold(const Moment& turn, const Watched& watched, WorkerId worker) {
  Tried& tried = tried_[watched.cls];
  const uint32_t doublings = std::min(tried.holds++, kMaxDoublings);
  ++tried.in_vain[worker];
  ++holds_[watched.cls];
  const TaskId named = EmptiedFor(cluster_, watched.task) ? Unnamed(watched.cls) : watched.task;
  cluster_.held_room[worker] = {named, watched.cls, turn.now + kFirstHold * (1 << doublings)};
  NameOn(worker, named);
  IsAnother(worker);
  ++cluster_.counters.rooms_held;
  dispatching_.RecallAhead(turn, worker);
}

}  // namespace muster::core
