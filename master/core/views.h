// What readers see of the tables, in words where words help.
//
// Thread rule: one thread, between turns.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "master/core/cluster.h"
#include "master/core/queue_waits.h"

namespace muster::core {

// "1.2s", never below zero.
std::string DurationWords(absl::Duration duration);
// `waits`: of this turn.
OpenTaskView ViewOf(const Cluster& cluster, QueueWaits* waits, const Task& task, absl::Time now);
// "waits for a free slot: 3 of 3 busy", "retry 2 of 3 in 1.2 s after it exited with 7".
std::string ReasonOf(const Cluster& cluster, QueueWaits* waits, const Task& task, absl::Time now);
std::vector<WorkerView> ViewOfWorkers(const Cluster& cluster);
std::optional<WorkerView> ViewOfWorker(const Cluster& cluster, WorkerId worker);
// Those with tasks, settings or a pause; by name.
std::vector<QueueView> ViewOfQueues(const Cluster& cluster, absl::Time now);
std::vector<ClusterResourceView> ViewOfResources(const Cluster& cluster);
QueueView ViewOfQueue(const Cluster& cluster, const std::string& queue, absl::Time now);
// "paused until 2026-01-31T14:30:00Z: a deploy"
std::string PauseText(const QueuePause& pause);

}  // namespace muster::core
