#include "master/core/cluster.h"

namespace muster::core {
namespace {

balancer::PolicyKind PolicyOf(BalancerKind kind) {
  switch (kind) {
    case BalancerKind::kRoundRobin: return balancer::PolicyKind::kRoundRobin;
    case BalancerKind::kWeighted: return balancer::PolicyKind::kWeighted;
    case BalancerKind::kLeastLoaded: return balancer::PolicyKind::kLeastLoaded;
  }
  return balancer::PolicyKind::kLeastLoaded;
}

}  // namespace

Cluster::Cluster(CoreConfig core_config, std::string id, Epoch number)
    : config(std::move(core_config)),
      cluster_id(std::move(id)),
      epoch(number),
      workers({config.heartbeat, config.lost_after, config.max_workers}),
      health({config.quarantine, config.quarantine_instant, config.quarantine_first_probe,
              config.quarantine_longest_probe}),
      queues(config.aging_interval),
      queue_table(config.queues),
      balancer(PolicyOf(config.balancer)),
      delay_floor(config.queue_delay_target),
      random(config.seed) {}

SessionNumber Cluster::OpenSessionOf(WorkerId worker) const {
  const auto found = links.find(worker);
  if (found == links.end() || found->second.state != WorkerLink::Session::kOpen) return {};
  return found->second.session;
}

std::string Cluster::NameOf(WorkerId worker) const {
  return worker && workers.Contains(worker) ? workers.name(worker) : std::string();
}

}  // namespace muster::core
