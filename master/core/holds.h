// What keeps a queued task from being looked at at all, whatever room there is: that the master stops, the pause, limit and
// rate of its queue, the limit of its key, what the cluster lacks as a whole, and its own pause after refusals. A new one
// is a line of kHolds in holds.cc.
//
// The gates and keys asked here are those that Placing asks: what decides is what is told.
// Thread rule: one thread, between turns. Cost: O(log n), and what stands before it in its
// key's line, up to 10,000 tasks, or in the line for what the cluster has.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "master/core/cluster.h"
#include "master/core/explanation.h"

namespace muster::core {

struct Hold {
  ReasonCode code;
  std::string sentence;
  absl::Time until = absl::InfiniteFuture();  // infinite: not time ends it
};

// The first that holds the task, which is at `position` in its queue. Empty: it starts when there is room.
std::optional<Hold> HoldOf(const Cluster& cluster, const Task& task, const QueuePosition& position, absl::Time now);

// For readers who want a word: why the queue starts none of its tasks now ("runs 8 of at most 8"), and why the task's key
// does not let it start ("3 tasks with user=ann run, 3 may"). Empty: they do.
std::string WhyQueueHolds(const Cluster& cluster, const std::string& queue, absl::Time now);
std::string WhyKeyHolds(const Cluster& cluster, const Task& task);
// The same of what it asks of the cluster as a whole ("2 of 2 license.matlab are taken"), and of what asks for more than
// there ever is ("asks for 4 license.matlab, and the cluster has 2").
std::string WhyClusterLacks(const Cluster& cluster, const Task& task, absl::Time now);
std::string WhyClusterNeverHas(const Cluster& cluster, const Requirements& requirements);

// The worker that is emptied for it (held_room.h). Empty: none is. Costs O(workers that are emptied).
std::optional<WorkerId> EmptiedFor(const Cluster& cluster, TaskId task);

// What decides on it: the task as one that asks the cluster, and what it cannot have now.
scheduler::ClusterResources::Asker AskerOf(const Cluster& cluster, const Task& task);
std::optional<scheduler::ClusterResources::Lack> LackOf(const Cluster& cluster, const Task& task, absl::Time now);

}  // namespace muster::core
