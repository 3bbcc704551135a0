// What waits to go up to the master on one session, and when it leaves.
//
// Everything that waits travels together, because each message wakes three processes. A report is added with the time
// at which it is due; nothing leaves before something is due or there is a lot of it, and then all of it leaves, in
// messages of about message_bytes. Order is kept: an attempt's output is never overtaken by its result. A started
// report that is still here when its result comes is dropped: the result says it too.
// Live output is bounded by output_limit_bytes: beyond it AddOutput takes nothing and says so.
// Thread rule: any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "worker/core/worker_core.h"
#include "worker/plugin_api/executor.h"

namespace muster::v1 {
class SessionResponse;
}  // namespace muster::v1

namespace muster::worker {

struct OutputPiece {
  AttemptKey key;
  plugin::Stream stream = plugin::Stream::kStdout;
  int64_t offset = 0;
  std::string bytes;
  int64_t skipped = 0;
};

struct LogLine {
  AttemptKey key;
  absl::Time time;
  plugin::Severity severity = plugin::Severity::kInfo;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

class SessionQueue {
 public:
  struct Limits {
    size_t message_bytes = size_t{1} << 20;      // a message is closed when it has grown this large
    size_t largest_message_bytes = 3500 * 1024;  // and is never larger, but for one item alone
    size_t message_items = 4096;
    size_t eager_bytes = 64 * 1024;  // with so much or so many waiting, nothing lingers
    size_t eager_items = 256;
    size_t output_limit_bytes = size_t{8} << 20;
    size_t log_limit_lines = 1024;
  };

  explicit SessionQueue(Limits limits) : limits_(limits) {}
  SessionQueue() : SessionQueue(Limits()) {}

  // First, once; nothing leaves before it.
  void SetHello(Incarnation incarnation, SendHello hello);
  void SetRefusal(std::string reason);

  void AddStarted(AttemptKey key, absl::Time time, absl::Time due);
  void AddValidating(AttemptKey key, absl::Time time);  // due at once
  void AddResult(AttemptReportPtr report, absl::Time due);
  void AddGivenBack(AttemptKey key);  // due at once
  void AddRefusal(AttemptKey key, std::string reason);
  bool AddOutput(OutputPiece piece, absl::Time due);
  void AddLog(LogLine line, absl::Time due);  // beyond the limit the line is dropped and counted

  // The next message, when something is due; false: not now.
  bool Fill(v1::SessionResponse* message, absl::Time now);

  // When something will be due; InfinitePast: now; InfiniteFuture: there is nothing.
  absl::Time DueAt() const;
  bool HasOutputRoom() const;  // half of the output's limit is free
  uint64_t dropped_log_lines() const;

 private:
  struct Item {
    std::variant<OutputPiece, SendValidating, AttemptReportPtr, AttemptKey, SendRefusal, LogLine> what;
    size_t bytes = 0;
  };

  void Add(Item item, absl::Time due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return started_.empty() && items_.empty(); }
  void Put(Item item, v1::SessionResponse* message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  mutable absl::Mutex mutex_;
  std::function<void(v1::SessionResponse*)> first_ ABSL_GUARDED_BY(mutex_);
  bool greeted_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<AttemptKey, absl::Time> started_ ABSL_GUARDED_BY(mutex_);
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t output_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t log_lines_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_log_lines_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time due_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
};

}  // namespace muster::worker
