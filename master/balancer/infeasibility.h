// Whether a task can ever run here, whatever comes free: of each worker by its size alone, and of all that are there why
// none of them could, in words for a person.
//
// Thread rule: pure.
#pragma once

#include <string>
#include <vector>

#include "common/domain/resources.h"
#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"
#include "master/balancer/pool.h"

namespace muster::balancer {

// It is large enough when it is empty.
inline bool CouldFit(const WorkerFacts& worker, const ResourceAmounts& want) {
  return worker.offer.capacity.slots > 0 && Fits(worker.offer.capacity, ResourceAmounts{}, want);
}

// Each reason holds for itself; empty: some worker could. Costs O(workers).
std::vector<std::string> WhyNoneCould(const std::vector<ListedWorker>& workers, const Requirements& requirements);

}  // namespace muster::balancer
