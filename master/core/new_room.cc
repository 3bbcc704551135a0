#include "master/core/new_room.h"

#include <algorithm>

namespace muster::core {
namespace {

// Of more than these a class is not asked one by one: to try it costs less.
constexpr size_t kFewWorkers = 8;
constexpr uint32_t kTriesAhead = 64;

}  // namespace

void NewRoom::Changed(WorkerId worker) {
  passed_over_.clear();
  const WorkerFacts& facts = cluster_.workers.facts(worker);
  if (!facts.TakesWork()) return Gone(worker);
  if (facts.FreeSlots() > 0) {
    workers_.insert(worker);
  } else {
    workers_.erase(worker);
  }
  if (cluster_.config.prefetch_limit > 0) tries_ahead_ = kTriesAhead;
}

bool NewRoom::MayFit(const scheduler::NextTask& next, const scheduler::ClassKey& key) {
  if (passed_over_.contains(next.cls)) return false;
  if (FitsAWorker(key) || MayGoAhead(next, key)) return true;
  PassOver(next.cls);
  return false;
}

bool NewRoom::FitsAWorker(const scheduler::ClassKey& key) const {
  return workers_.size() > kFewWorkers ||
         std::any_of(workers_.begin(), workers_.end(), [this, &key](WorkerId worker) {
           return cluster_.balancer.CanServe(worker, key.requirements, key.avoid);
         });
}

bool NewRoom::MayGoAhead(const scheduler::NextTask& next, const scheduler::ClassKey& key) {
  if (tries_ahead_ == 0) return false;
  --tries_ahead_;
  return key.requirements.OneSlotOnly() && !key.avoid && prefetch_.Eligible(*cluster_.tasks.Find(next.task));
}

void NewRoom::PassOver(scheduler::ClassId cls) {
  if (!empty()) passed_over_.insert(cls);
}

void NewRoom::Taken(WorkerId worker, bool ahead) {
  if (ahead && tries_ahead_ > 0) ++tries_ahead_;  // it was no try in vain
  if (cluster_.workers.facts(worker).FreeSlots() == 0) workers_.erase(worker);
}

void NewRoom::Clear() {
  workers_.clear();
  tries_ahead_ = 0;
  passed_over_.clear();
}

}  // namespace muster::core
