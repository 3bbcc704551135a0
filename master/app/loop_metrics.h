// What the loop measures of itself and of the core, and the series of /metrics that show it.
//
// Thread rule: LoopFigures is a value; the histograms and counters may be used from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "common/domain/ids.h"
#include "common/telemetry/metrics.h"
#include "master/core/cluster_core.h"

namespace muster::master {

// A copy of what the last turn left.
struct LoopFigures {
  core::CoreCounters core;
  uint64_t turns = 0;
  uint64_t commits = 0;
  CommitNumber last_commit;
  size_t worker_count[8] = {};  // by WorkerState; at most a second old
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
