// What a worker counts. The names are documented in docs/workers.md.
// Thread rule: any thread. Ownership: the registry of metrics must outlive it.
#pragma once

#include <array>
#include <functional>

#include "common/domain/attempt.h"
#include "common/telemetry/metrics.h"
#include "worker/core/worker_core.h"

namespace muster::worker {

class WorkerMetrics {
 public:
  // `view` and `output_bytes` are asked at each scrape.
  WorkerMetrics(telemetry::Metrics* metrics, uint32_t slots, std::function<WorkerCoreView()> view,
                std::function<int64_t()> output_bytes);

  void CountEnd(const AttemptReport& report);

  telemetry::Counter& started;
  telemetry::Counter& refused;
  telemetry::Counter& given_back;
  telemetry::Counter& direct;
  telemetry::Counter& direct_refused;
  telemetry::Counter& sessions;
  telemetry::Counter& sessions_refused;
  telemetry::Counter& results_sent;  // repeats included
  telemetry::Counter& fenced;
  telemetry::Counter& orphaned;
  telemetry::Counter& refused_connections;
  telemetry::Counter& refused_calls;

 private:
  static constexpr size_t kReasons = static_cast<size_t>(EndReason::kValidationFailed) + 1;

  std::array<telemetry::Counter*, kReasons> ended_{};
  telemetry::Histogram& run_time_;
};

}  // namespace muster::worker
