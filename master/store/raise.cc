#include "master/store/raise.h"

#include <algorithm>

namespace muster::store {
namespace {

constexpr uint64_t kIdsPerMinute = uint64_t{1} << 24;
constexpr int64_t kMostMinutes = 366 * 24 * 60;
constexpr uint32_t kAttempts = 1024;
constexpr uint32_t kMostAttempts = 60'000;  // of the 65,535 that a task can have
constexpr int64_t kLeastEpochs = 1 << 20;  // should the clock have gone back

}  // namespace

int64_t EpochAt(absl::Time now) { return absl::ToUnixMillis(now); }

Raised RaisePast(const KnownEnd& known, absl::Time now) {
  const int64_t minutes = std::clamp<int64_t>(absl::ToInt64Minutes(now - known.last_commit), 0, kMostMinutes);
  const uint64_t ids = kIdsPerMinute * static_cast<uint64_t>(minutes + 1);
  Raised raised;
  raised.epoch = std::max(known.epoch + kLeastEpochs, EpochAt(now));
  raised.next_id = TaskId(known.next_id.value() + ids);
  raised.skipped = {known.next_id, ids};
  raised.attempts = AttemptNumber(std::min(known.attempts.value() + kAttempts, kMostAttempts));
  return raised;
}

}  // namespace muster::store
