// Finds why an open task is where it is (explanation.h), from the tables alone and changing nothing.
//
// What waits in the queue is judged in this order: what keeps it from being looked at at all (holds.h), then what the workers
// say to it and who is before it (queued_verdict.h).
//
// Cost: O(workers) and what is ahead of it in its queue, up to 10,000 tasks: some milliseconds at 20,000 workers.
// Thread rule: one thread, between turns.
#pragma once

#include "absl/time/time.h"
#include "common/domain/task_spec.h"
#include "master/core/cluster.h"
#include "master/core/explanation.h"

namespace muster::core {

Explanation ExplainTask(const Cluster& cluster, const Task& task, absl::Time now);
// As if it were accepted now. Whether it would be is admission's to say.
Explanation ExplainSpec(const Cluster& cluster, TaskSpecPtr spec, const std::vector<RangeEnds>& ends, absl::Time now);

}  // namespace muster::core
