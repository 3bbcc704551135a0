// What queued tasks wait for, as a look at every worker tells it: found once for all tasks with the same requirements,
// and kept for a turn. Whom a task avoids makes no difference: another worker that is full is what it waits for.
//
// A page of a thousand queued tasks costs one look at the workers per kind of task on it.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "common/domain/task_spec.h"
#include "master/core/cluster.h"

namespace muster::core {

// Of the workers that take work and could fit such a task, but not now: their slots, and how many are taken.
struct QueueWait {
  std::string infeasible;  // why no worker could ever take it; empty: some could
  uint64_t slots = 0;
  uint64_t used = 0;
  std::string other;       // of the first one that takes nothing at all now: "worker a is DRAINING: by hand"
};

class QueueWaits {
 public:
  // The reference stays good until the next call.
  const QueueWait& Of(const Cluster& cluster, const Requirements& requirements);
  // A turn has begun.
  void Clear() { known_.clear(); }

 private:
  absl::flat_hash_map<Requirements, QueueWait> known_;
};

}  // namespace muster::core
