// Where a task stands in its queue, and who of those before it could take what it waits for.
//
// Cost: what is ahead of it, up to 10,000 tasks; of their classes up to 64 are asked whether they compete.
// Thread rule: one thread, between turns. Ownership: what a Competition is given must outlive it.
#pragma once

#include <limits>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "master/balancer/analysis.h"
#include "master/core/cluster.h"
#include "master/core/explanation.h"

namespace muster::core {

// The id of a task that is only asked about: after all others.
inline constexpr TaskId kNotSubmitted{std::numeric_limits<uint64_t>::max()};

class Competition {
 public:
  Competition(const Cluster& cluster, const Task& task, const balancer::Analysis& workers)
      : cluster_(cluster), requirements_(task.spec().requirements), workers_(workers) {}

  // Whether a class could take the room that the task waits for.
  bool Has(scheduler::ClassId cls);

 private:
  bool Compete(const scheduler::ClassKey& key) const;

  const Cluster& cluster_;
  const Requirements& requirements_;
  const balancer::Analysis& workers_;
  absl::flat_hash_map<scheduler::ClassId, bool> classes_;
};

// `before`: those that compete.
QueuePosition PositionOf(const Cluster& cluster, const Task& task, Competition& competition, std::vector<TaskId>* before);

}  // namespace muster::core
