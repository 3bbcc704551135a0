#include "master/core/quarantine.h"

namespace muster::core {

void Quarantine::Judge(const Moment& turn) {
  cluster_.health.Expire(turn.now);
  for (const WorkerId worker : cluster_.health.TakeChanged()) {
    if (!cluster_.workers.Contains(worker)) continue;
    const registry::Standing standing = cluster_.health.standing(worker);
    const bool rests = standing.level != registry::Standing::Level::kSound && !standing.may_try;
    cluster_.workers.SetStanding(worker, standing);
    if (rests) dispatching_.RecallAhead(turn, worker);
    cluster_.balancer.Changed(cluster_.workers.facts(worker));
    cluster_.touched.insert(worker);
    ++cluster_.offers_revision;
  }
}

}  // namespace muster::core
