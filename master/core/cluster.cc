#include "master/core/cluster.h"

#include <algorithm>
#include <memory>

namespace muster::core {

Cluster::Cluster(CoreConfig core_config, std::string id, Epoch number)
    : config(std::move(core_config)),
      cluster_id(std::move(id)),
      epoch(number),
      workers({config.heartbeat, config.lost_after, config.max_workers}),
      health({config.quarantine, config.quarantine_instant, config.quarantine_first_probe,
              config.quarantine_longest_probe}),
      queues(config.aging_interval),
      resources(config.resources, config.reservation_after > absl::ZeroDuration() ? config.reservation_after
                                                                                  : absl::InfiniteDuration()),
      queue_table(config.queues),
      balancer(config.placement.balancer, [this](uint64_t fingerprint) { return RanBefore(fingerprint); },
               [this](uint64_t fingerprint, WorkerId worker) { return tasks.Spreading(fingerprint, worker); }),
      placement(config.placement),
      delay_floor(config.queue_delay_target),
      random(config.seed) {}

Dependencies::OpenIn Cluster::open_in() const {
  return [this](TaskRange range) {
    uint64_t by_state[16] = {};
    return tasks.CountIn(range, by_state);
  };
}

SessionNumber Cluster::OpenSessionOf(WorkerId worker) const {
  const auto found = links.find(worker);
  if (found == links.end() || found->second.state != WorkerLink::Session::kOpen) return {};
  return found->second.session;
}

balancer::Favourites Cluster::RanBefore(uint64_t fingerprint) const {
  balancer::Favourites favourites;
  for (const LearnedRunTimes::Place& place : run_times.Places(fingerprint)) {
    if (const WorkerId worker = workers.Find(place.worker)) favourites.Add(worker);
  }
  return favourites;
}

std::string Cluster::NameOf(WorkerId worker) const {
  return worker && workers.Contains(worker) ? workers.name(worker) : std::string();
}

TaskSpecPtr Cluster::Settled(TaskSpecPtr spec) const {
  const auto is_of_cluster = [this](const auto& entry) { return resources.Has(entry.first); };
  const auto& asked = spec->requirements.resources.named;
  if (std::none_of(asked.begin(), asked.end(), is_of_cluster)) return spec;
  auto settled = std::make_shared<TaskSpec>(*spec);
  auto& named = settled->requirements.resources.named;
  for (const auto& entry : named) {
    if (is_of_cluster(entry) && entry.second > 0) settled->requirements.of_cluster.push_back(entry);
  }
  std::erase_if(named, is_of_cluster);
  return settled;
}

}  // namespace muster::core
