#include "master/balancer/analysis.h"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "master/balancer/load_rank.h"

namespace muster::balancer {
namespace {

// How much has to happen for a miss to go away, for the tie between workers with equally many.
int Weight(const Miss& miss) {
  switch (miss.obstacle) {
    case Obstacle::kLimited:
    case Obstacle::kNoRoom:
    case Obstacle::kAvoided: return 1;
    case Obstacle::kState:
    case Obstacle::kRefuses:
    case Obstacle::kHeld: return 100;
    default: return 10'000;
  }
}

bool Lacks(const std::vector<Miss>& misses, Obstacle obstacle) {
  return std::any_of(misses.begin(), misses.end(), [obstacle](const Miss& miss) { return miss.obstacle == obstacle; });
}

// Notes which of some requirements the worker meets. Whether it meets all of them.
bool NoteMet(const std::vector<Miss>& misses, Obstacle obstacle, std::vector<bool>* met) {
  bool all = true;
  for (size_t which = 0; which < met->size(); ++which) {
    const Miss miss{obstacle, static_cast<uint16_t>(which)};
    const bool missing = std::find(misses.begin(), misses.end(), miss) != misses.end();
    if (!missing) (*met)[which] = true;
    all = all && !missing;
  }
  return all;
}

bool AreStatic(const std::vector<Miss>& misses) { return !misses.empty() && IsStatic(misses.front()); }

}  // namespace

Analyst::Analyst(const Requirements& requirements, WorkerId avoid)
    : requirements_(requirements), avoid_(avoid), has_need_(requirements.needs.size(), false), is_free_of_(requirements.excludes.size(), false) {}

void Analyst::LookAt(const WorkerFacts& worker, Precedence precedence) {
  ++analysis_.workers;
  FindMisses(worker, requirements_, WorkerId(), &misses_);
  NoteOffer();
  if (!AreStatic(misses_) && worker.TakesWork()) NoteCandidate(worker);
  if (!misses_.empty()) return NoteMisses(worker);
  if (avoid_ && worker.id == avoid_) {
    avoided_has_room_ = true;
  } else {
    NoteRoom(worker.id, precedence);
  }
}

void Analyst::NoteRoom(WorkerId worker, Precedence precedence) {
  if (requirements_.arrangement == Arrangement::kSpread) spread_.emplace_back(precedence.rank, worker, precedence.place);
  if (analysis_.starts_on && precedence >= best_) return;  // ids ascend: of equals the first one stays
  best_ = precedence;
  analysis_.starts_on = worker;
}

// Beyond so many Choose looks at no more.
void Analyst::ChooseOfTheEmptiest() {
  if (spread_.size() <= kSpreadCandidates) return;
  std::nth_element(spread_.begin(), spread_.begin() + kSpreadCandidates, spread_.end());
  spread_.resize(kSpreadCandidates);
  const auto fewest = std::min_element(spread_.begin(), spread_.end(), [](const auto& a, const auto& b) {
    return std::tie(std::get<2>(a), std::get<0>(a), std::get<1>(a)) < std::tie(std::get<2>(b), std::get<0>(b), std::get<1>(b));
  });
  analysis_.starts_on = std::get<1>(*fewest);
}

void Analyst::NoteOffer() {
  const bool sick = Lacks(misses_, Obstacle::kUnhealthyExecutor);
  const bool has_executor = !sick && !Lacks(misses_, Obstacle::kNoExecutor);
  has_sick_executor_ = has_sick_executor_ || sick;
  has_executor_ = has_executor_ || has_executor;
  const bool has_needs = NoteMet(misses_, Obstacle::kLacksNeed, &has_need_);
  const bool is_free = NoteMet(misses_, Obstacle::kHasExcluded, &is_free_of_);
  has_all_ = has_all_ || (has_executor && has_needs && is_free);
  some_could_ = some_could_ || !AreStatic(misses_);
}

void Analyst::NoteCandidate(const WorkerFacts& worker) {
  if (worker.id != avoid_) another_could_ = true;
  analysis_.candidates.push_back(worker.id);
  const uint32_t slots = std::min(worker.offer.capacity.slots, worker.slot_limit);
  analysis_.slots += slots;
  analysis_.used_slots += std::min(worker.used.slots, slots);
  const Miss no_slot{Obstacle::kNoRoom, kSlots};
  const bool full = Lacks(misses_, Obstacle::kLimited) ||
                    std::find(misses_.begin(), misses_.end(), no_slot) != misses_.end();
  analysis_.slots_are_free = analysis_.slots_are_free || !full;
}

void Analyst::NoteMisses(const WorkerFacts& worker) {
  AddToGroup(worker.id, misses_.front());
  std::pair<size_t, int> cost{misses_.size(), 0};
  for (const Miss& miss : misses_) cost.second += Weight(miss);
  if (!analysis_.nearest || cost < nearest_cost_) {
    analysis_.nearest = worker.id;
    analysis_.nearest_misses = misses_;
    nearest_cost_ = cost;
  }
  if (worker.id != avoid_) NoteChange(worker);
}

void Analyst::NoteChange(const WorkerFacts& worker) {
  if (analysis_.would_start_now && misses_.size() >= change_cost_) return;
  std::optional<Requirements> changed = Without(misses_, worker, requirements_);
  if (!changed) return;
  analysis_.would_start_now = std::move(changed);
  change_cost_ = misses_.size();
}

void Analyst::AddToGroup(WorkerId worker, Miss miss) {
  auto group = std::find_if(analysis_.groups.begin(), analysis_.groups.end(),
                            [&miss](const MissGroup& known) { return known.miss == miss; });
  if (group == analysis_.groups.end()) {
    analysis_.groups.push_back(MissGroup{.miss = miss});
    group = std::prev(analysis_.groups.end());
  }
  ++group->count;
  if (group->examples.size() < Analysis::kExamples) group->examples.push_back(worker);
}

Hopeless Analyst::WhyHopeless() const {
  if (some_could_) return Hopeless::kNo;
  if (analysis_.workers == 0) return Hopeless::kNoWorkers;
  if (!has_executor_) return has_sick_executor_ ? Hopeless::kUnhealthyExecutor : Hopeless::kNoExecutor;
  bool too_old = false, too_open = false;
  for (size_t which = 0; which < has_need_.size(); ++which) {
    if (has_need_[which]) continue;
    const Need& need = requirements_.needs[which];
    if (!IsForValidation(need) && !IsForIsolation(need)) return Hopeless::kLacksNeed;
    (IsForIsolation(need) ? too_open : too_old) = true;
  }
  if (too_open) return Hopeless::kLacksIsolation;
  if (too_old) return Hopeless::kTooOld;
  if (std::find(is_free_of_.begin(), is_free_of_.end(), false) != is_free_of_.end()) return Hopeless::kHasExcluded;
  return has_all_ ? Hopeless::kTooSmall : Hopeless::kNoneHasAll;
}

Analysis Analyst::Finish() {
  ChooseOfTheEmptiest();
  if (avoided_has_room_ && !analysis_.starts_on && !another_could_) analysis_.starts_on = avoid_;
  if (avoided_has_room_ && analysis_.starts_on != avoid_) {
    AddToGroup(avoid_, {Obstacle::kAvoided});
    analysis_.nearest = avoid_;
    analysis_.nearest_misses.assign(1, Miss{Obstacle::kAvoided});
  }
  if (analysis_.starts_on) {
    analysis_.nearest = WorkerId();
    analysis_.nearest_misses.clear();
    analysis_.would_start_now.reset();
  }
  analysis_.hopeless = WhyHopeless();
  std::stable_sort(analysis_.groups.begin(), analysis_.groups.end(),
                   [](const MissGroup& a, const MissGroup& b) { return a.count > b.count; });
  return std::move(analysis_);
}

}  // namespace muster::balancer
