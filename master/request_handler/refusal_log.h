// Refusals made at the edge, counted per cause and identity and second, for the activity log (nothing polite hides).
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
  telemetry::Counter* const total_;  // null without metrics
  std::shared_ptr<State> state_;     // shared with the alarm, which may come late
};

}  // namespace muster::handler
