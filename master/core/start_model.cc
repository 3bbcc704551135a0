#include "master/core/start_model.h"

#include <algorithm>
#include <variant>

namespace muster::core {
namespace {

constexpr size_t kMaxSlots = 4096;
constexpr size_t kMaxOtherQueues = 16;
constexpr size_t kSampled = 64;  // tasks of each other queue

class StartModelBuilder {
 public:
  StartModelBuilder(const Cluster& cluster, absl::Time now) : cluster_(cluster), now_(now) {}

  // Up to the bound; the share of all slots that it took in.
  double AddWorkers(const std::vector<WorkerId>& workers) {
    uint64_t all = 0;
    uint64_t taken = 0;
    for (const WorkerId worker : workers) {
      const WorkerFacts& facts = cluster_.workers.facts(worker);
      all += facts.offer.capacity.slots;
      if (taken >= kMaxSlots) continue;
      taken += facts.offer.capacity.slots;
      AddWorker(worker, facts);
    }
    return all == 0 ? 1 : static_cast<double>(taken) / static_cast<double>(all);
  }

  void AddAhead(const Task& task) { model_.ahead.push_back({KindOf(task), task.spec().requirements.resources.slots}); }

  // While the tasks ahead are served, other queues get their share.
  void AddOtherQueues(const Task& task, const std::function<bool(scheduler::ClassId)>& competes) {
    const std::vector<scheduler::QueueStatus> queues = cluster_.queues.Queues();
    double weight = 1;
    for (const auto& queue : queues) {
      if (queue.name == task.spec().queue) weight = queue.weight;
    }
    const double turns = static_cast<double>(model_.ahead.size() + 1) / weight;
    size_t looked_at = 0;
    for (const auto& queue : queues) {
      if (queue.name == task.spec().queue || queue.queued == 0) continue;
      if (cluster_.gates.Look(queue.name, now_) != scheduler::Gate::kOpen) continue;
      if (++looked_at > kMaxOtherQueues) return;
      AddShareOf(queue, turns * queue.weight, competes);
    }
  }

  std::shared_ptr<const scheduler::StartModel> Take(uint32_t slots, double ahead_factor) {
    model_.slots = slots;
    model_.ahead_factor = ahead_factor;
    return std::make_shared<const scheduler::StartModel>(std::move(model_));
  }

 private:
  uint32_t KindOf(const Task& task) {
    const uint64_t fingerprint = task.spec().fingerprint;
    const auto [place, is_new] = kinds_.try_emplace(fingerprint, static_cast<uint32_t>(model_.kinds.size()));
    if (is_new) model_.kinds.push_back(cluster_.run_times.Samples(fingerprint));
    return place->second;
  }

  void AddWorker(WorkerId worker, const WorkerFacts& facts) {
    const auto number = static_cast<uint32_t>(model_.free_slots.size());
    model_.free_slots.push_back(facts.FreeSlots());
    for (const TaskId id : cluster_.tasks.On(worker)) {
      const Task& task = *cluster_.tasks.Find(id);
      const auto* sent = std::get_if<Dispatched>(&task.state);
      if (sent != nullptr && sent->prefetched) {
        AddAhead(task);
        continue;
      }
      const auto* running = std::get_if<Running>(&task.state);
      const absl::Time begin = running != nullptr ? running->since : task.dispatched;
      const uint32_t slots = std::min(task.spec().requirements.resources.slots, facts.offer.capacity.slots);
      model_.running.push_back({KindOf(task), number, slots, std::max(absl::ZeroDuration(), now_ - begin)});
    }
  }

  void AddShareOf(const scheduler::QueueStatus& queue, double share, const std::function<bool(scheduler::ClassId)>& competes) {
    std::vector<const Task*> sample;
    size_t seen = 0;
    const scheduler::QueuePlace end{queue.name, -100, absl::InfiniteFuture(), TaskId()};
    cluster_.queues.VisitAhead(end, kSampled, [&](const scheduler::TaskAhead& other) {
      ++seen;
      if (competes(other.cls)) sample.push_back(cluster_.tasks.Find(other.task));
    });
    if (sample.empty()) return;
    const double waiting = static_cast<double>(queue.queued) * static_cast<double>(sample.size()) / static_cast<double>(seen);
    const auto count = static_cast<size_t>(std::min(waiting, share) + 0.5);
    for (size_t i = 0; i < std::min(count, kMaxSlots); ++i) AddAhead(*sample[i % sample.size()]);
  }

  const Cluster& cluster_;
  const absl::Time now_;
  scheduler::StartModel model_;
  absl::flat_hash_map<uint64_t, uint32_t> kinds_;  // by fingerprint
};

}  // namespace

std::shared_ptr<const scheduler::StartModel> StartModelOf(const Cluster& cluster, const Task& task,
                                                          const std::vector<WorkerId>& workers,
                                                          const std::vector<TaskId>& ahead,
                                                          const std::function<bool(scheduler::ClassId)>& competes,
                                                          absl::Time now) {
  StartModelBuilder builder(cluster, now);
  const double share = builder.AddWorkers(workers);
  for (const TaskId id : ahead) builder.AddAhead(*cluster.tasks.Find(id));
  builder.AddOtherQueues(task, competes);
  return builder.Take(task.spec().requirements.resources.slots, share);
}

}  // namespace muster::core
