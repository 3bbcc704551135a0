// The flags of `muster queue set`, and the request that they become.
// Thread rule: one thread. Errors: usage errors (errors.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/flags.h"
#include "muster/v1/queue_service.pb.h"

namespace muster::cli {

struct QueueFlags {
  std::optional<int64_t> weight, max_running, max_queued, priority, retries;
  std::string rate, retry_delay, retry_on, never_retry, on_worker_loss;
  std::optional<absl::Duration> timeout;
  std::vector<std::string> unset;
  bool reset = false;

  void Declare(Flags& flags);
  absl::StatusOr<v1::UpdateQueueRequest> Build(const std::string& queue) const;
};

}  // namespace muster::cli
