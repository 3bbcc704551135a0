// What waits to be told to one worker, in order, and the messages that it travels in.
//
// Orders are added as the loop releases them; a message takes as many from the front as its bounds allow, so that
// whatever is waiting goes together. Order between messages is the order of adding: a stop or a subscription never
// overtakes the assignment that it is about. Specifications are carried once per message, however many tasks share
// them. Acknowledgements of output that wait replace one another.
//
// Thread rule: locks itself; any thread. Ownership: owns the orders until they are in a message.
// Errors: an assignment that fits into no message is handed to `too_large` in place of being sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <tuple>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "master/core/effects.h"
#include "master/core/ports.h"

namespace muster::v1 {
class SessionRequest;
}

namespace muster::dispatcher {

struct MessageBounds {
  int assignments = 256;
  int orders = 2048;
  // A message is closed once it holds this much; a single larger assignment still travels alone.
  int64_t full_bytes = 256 * 1024;
  // No message is ever larger.
  int64_t most_bytes = (int64_t{4} << 20) - 4096;
};

struct OutputOrder {
  enum class Action : uint8_t { kSubscribe = 1, kAcknowledge = 2, kPause = 3, kDetach = 4 };
  AttemptKey key;
  core::OutputStreamKind stream = core::OutputStreamKind::kStdout;
  Action action = Action::kSubscribe;
  int64_t offset = 0;
  bool lossless = false;
};

class SessionQueue {
 public:
  using Order =
      std::variant<core::Assign, core::Stop, core::Recall, core::Acknowledge, core::SendDrain, OutputOrder>;
  using TooLarge = std::function<void(const core::Assign&)>;

  SessionQueue(MessageBounds bounds, TooLarge too_large) : bounds_(bounds), too_large_(std::move(too_large)) {}

  void Add(Order order) ABSL_LOCKS_EXCLUDED(mutex_);

  // Fills an empty message with what waits. False: nothing does.
  bool Fill(v1::SessionRequest* message) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using StreamKey = std::tuple<AttemptKey, core::OutputStreamKind>;

  void AddOutput(OutputOrder order) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MessageBounds bounds_;
  const TooLarge too_large_;  // called without the lock
  mutable absl::Mutex mutex_;
  std::deque<Order> orders_ ABSL_GUARDED_BY(mutex_);
  uint64_t first_number_ ABSL_GUARDED_BY(mutex_) = 0;  // of orders_.front(), counted since the start
  absl::flat_hash_map<StreamKey, uint64_t> acknowledgements_ ABSL_GUARDED_BY(mutex_);  // number of the one that waits
};

}  // namespace muster::dispatcher
