// A few workers as the registry would show them, for the balancer's tests: counts slots and nothing else.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/domain/resources.h"
#include "master/balancer/balancer.h"

namespace muster::balancer {

class ClusterOfFacts {
 public:
  explicit ClusterOfFacts(BalancerKind kind, FormerPlaces former = nullptr)
      : balancer_(kind, std::move(former), [this](uint64_t kind_of_task, WorkerId worker) { return spread_[{kind_of_task, worker}]; }) {}

  WorkerId Add(uint32_t slots, uint32_t weight = 0, std::vector<std::pair<std::string, std::string>> labels = {}) {
    auto worker = std::make_unique<WorkerFacts>();
    worker->id = WorkerId(static_cast<uint32_t>(workers_.size() + 1));
    worker->name = "w" + std::to_string(worker->id.value());
    worker->state = WorkerState::kActive;
    worker->offer.capacity.slots = slots;
    worker->offer.executors = {ExecutorOffer{.name = "command"}};
    worker->offer.labels = std::move(labels);
    worker->offer_revision = 1;
    worker->weight = weight != 0 ? weight : slots;
    workers_.push_back(std::move(worker));
    balancer_.Changed(*workers_.back());
    return workers_.back()->id;
  }

  // Changes one worker and tells the balancer.
  template <typename Change>
  void Edit(WorkerId id, const Change& change) {
    change(*workers_[id.value() - 1]);
    balancer_.Changed(Facts(id));
  }

  void SetState(WorkerId id, WorkerState state) {
    Edit(id, [state](WorkerFacts& worker) { worker.state = state; });
  }

  // Chooses and takes the room. 0: not placed.
  WorkerId Place(const Requirements& requirements, WorkerId avoid = WorkerId(), uint64_t fingerprint = 0) {
    Placement placement = balancer_.Choose(requirements, avoid, fingerprint);
    const Placed* placed = std::get_if<Placed>(&placement);
    if (placed == nullptr) return WorkerId();
    AddTo(&workers_[placed->worker.value() - 1]->used, requirements.resources);
    if (requirements.arrangement == Arrangement::kSpread) ++spread_[{fingerprint, placed->worker}];
    balancer_.Picked(Facts(placed->worker), fingerprint);
    return placed->worker;
  }

  void End(WorkerId id, const ResourceAmounts& amounts) {
    Edit(id, [&amounts](WorkerFacts& worker) { TakeFrom(&worker.used, amounts); });
  }

  const WorkerFacts& Facts(WorkerId id) const { return *workers_[id.value() - 1]; }
  const std::vector<std::unique_ptr<WorkerFacts>>& workers() const { return workers_; }
  Balancer& balancer() { return balancer_; }

 private:
  std::vector<std::unique_ptr<WorkerFacts>> workers_;
  std::map<std::pair<uint64_t, WorkerId>, uint32_t> spread_;  // tasks placed, by kind and worker
  Balancer balancer_;
};

inline Requirements OneSlot(std::vector<Need> needs = {}) {
  return Requirements{.executor = "command", .needs = std::move(needs), .resources = {.slots = 1}};
}

inline Need NeedNamed(const std::string& name) { return Need{.name = name}; }

}  // namespace muster::balancer
