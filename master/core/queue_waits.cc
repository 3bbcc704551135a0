#include "master/core/queue_waits.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace muster::core {
namespace {

constexpr size_t kMaxKnown = 4096;

QueueWait LookAtWorkers(const Cluster& cluster, const Requirements& requirements) {
  QueueWait wait;
  wait.infeasible = absl::StrJoin(cluster.balancer.WhyInfeasible(requirements), "; ");
  if (!wait.infeasible.empty()) return wait;
  for (const auto& no : cluster.balancer.Explain(requirements, WorkerId(), cluster.config.max_workers)) {
    const WorkerFacts& facts = cluster.workers.facts(no.worker);
    const bool room = no.rejection.filter == "room";
    if (room && !facts.Limited()) {
      wait.slots += facts.offer.capacity.slots;
      wait.used += std::min(facts.used.slots, facts.offer.capacity.slots);
    } else if (wait.other.empty() && (room || no.rejection.filter == "state")) {
      wait.other = absl::StrCat("worker ", no.name, " ", no.rejection.why);
    }
  }
  return wait;
}

}  // namespace

const QueueWait& QueueWaits::Of(const Cluster& cluster, const Requirements& requirements) {
  const auto found = known_.find(requirements);
  if (found != known_.end()) return found->second;
  if (known_.size() >= kMaxKnown) known_.clear();
  return known_[requirements] = LookAtWorkers(cluster, requirements);
}

}  // namespace muster::core
