// Refusals that callers were told: counted per cause in /metrics, and per cause and identity and second for the activity
// log (nothing polite hides).
//
// Thread rule: any thread. Bounded: beyond `kMostKeys` in one second, the rest is counted under "others".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/telemetry/metrics.h"
#include "master/core/ports.h"

namespace muster::handler {

class RefusalLog {
 public:
  static constexpr size_t kMostKeys = 1024;

  RefusalLog(core::EventSink* events, telemetry::Metrics* metrics);
  ~RefusalLog();

  // `by`: the owner, or the peer's host.
  void Count(const absl::Status& refusal, std::string_view by);
  // Posts what was counted; by itself a second after the first.
  void Flush();

 private:
  struct State;
  void CountInMetrics(const std::string& cause);

  static constexpr size_t kMostCauses = 64;  // all are our own words; beyond it, "OTHER"

  telemetry::Metrics* const metrics_;  // may be null
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, telemetry::Counter*> by_cause_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<State> state_;       // shared with the alarm, which may come late
};

}  // namespace muster::handler
