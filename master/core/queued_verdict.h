// Why a queued task that nothing holds is not placed: what the workers say to it, and who is before it.
//
// In this order: whether a worker takes it now, whether any ever could, whether one is emptied for it, and then what those
// lack that could take it.
// Cost: O(workers that it names). Thread rule: one thread, between turns.
#pragma once

#include "master/balancer/analysis.h"
#include "master/core/cluster.h"
#include "master/core/verdict.h"

namespace muster::core {

Verdict JudgeQueued(const Cluster& cluster, const Task& task, const balancer::Analysis& workers, const QueuePosition& position);

}  // namespace muster::core
