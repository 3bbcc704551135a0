// What a waiting task's start depends on, taken out of the tables: what runs on the workers that could take it, what is
// before it in its queue, and the share that other queues take meanwhile.
//
// Bounded: 4,096 slots (of a larger fleet the first ones, and the work ahead in proportion) and what is ahead, up to the
// 10,000 tasks that explain.h counts. Thread rule: one thread, between turns.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "master/core/cluster.h"
#include "master/scheduler/start_estimate.h"

namespace muster::core {

// `workers`: that take work and could take it; `ahead`: tasks of its queue that come first and compete for them;
// `competes`: whether a class does.
std::shared_ptr<const scheduler::StartModel> StartModelOf(const Cluster& cluster, const Task& task,
                                                          const std::vector<WorkerId>& workers,
                                                          const std::vector<TaskId>& ahead,
                                                          const std::function<bool(scheduler::ClassId)>& competes,
                                                          absl::Time now);

}  // namespace muster::core
