// What an executor's attempts count, exported as muster_executor_<name>{executor="..."}: at most 32 names each.
//
// Thread rule: any thread. Ownership: the series belong to the process's Metrics, which must outlive this; with none
// nothing is kept. Names that are not [a-z][a-z0-9_]*, one too many, or of the other kind are dropped and counted.
#pragma once

#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"

namespace muster::execution {

class PluginMetrics {
 public:
  static constexpr size_t kMaxNames = 32;

  PluginMetrics(telemetry::Metrics* metrics, std::string executor);

  void Count(std::string_view name, double amount);
  void Observe(std::string_view name, double value);

 private:
  struct Series {
    telemetry::Counter* counter = nullptr;
    telemetry::Histogram* histogram = nullptr;
  };
  Series Find(std::string_view name, bool counter) ABSL_LOCKS_EXCLUDED(mutex_);

  telemetry::Metrics* const metrics_;
  const std::string executor_;
  telemetry::Counter* dropped_ = nullptr;
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Series> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::execution
