// What the loop measures of itself and of the core, and the series of /metrics that show it.
//
// Thread rule: LoopFigures is a value; the histograms and counters may be used from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/domain/ids.h"
#include "common/telemetry/metrics.h"
#include "master/core/cluster_core.h"

namespace muster::master {

// Of one queue. Those beyond the first kMostQueueSeries, in order of name, are summed up in one named "".
struct QueueFigures {
  std::string name;
  double waiting = 0;
  double running = 0;
  double held = 0;  // queues that start nothing now: paused or at a limit
};
inline constexpr size_t kMostQueueSeries = 100;
using QueueFiguresPtr = std::shared_ptr<const std::vector<QueueFigures>>;
QueueFiguresPtr FiguresOf(const std::vector<QueueView>& queues);

using ResourceFiguresPtr = std::shared_ptr<const std::vector<ClusterResourceView>>;  // as many as are configured

// A copy of what the last turn left.
struct LoopFigures {
  core::CoreCounters core;
  uint64_t turns = 0;
  uint64_t commits = 0;
  CommitNumber last_commit;
  size_t worker_count[8] = {};  // by WorkerState; at most a second old
  QueueFiguresPtr queues;       // the same; null at first
  ResourceFiguresPtr resources;  // the same
};

// Null members: nobody measures.
struct LoopMetrics {
  telemetry::Histogram* turn_seconds = nullptr;
  telemetry::Histogram* commit_seconds = nullptr;
  telemetry::Histogram* turn_events = nullptr;
  telemetry::Counter* refused_posts = nullptr;
  telemetry::Counter* disk_full_waits = nullptr;
  telemetry::Counter* refused_low = nullptr;
  telemetry::Counter* bridged_heartbeats = nullptr;
};

LoopMetrics AddLoopMetrics(telemetry::Metrics* metrics);

// Everything that LoopFigures has, read at each scrape.
void AddFigureMetrics(telemetry::Metrics* metrics, std::function<LoopFigures()> read);

}  // namespace muster::master
