// One reader of logs: of each selected task, in order, what is retained and then (with `follow`) what comes.
//
// It slows nobody: what it does not take in time is skipped, and the next chunk says how many bytes. An ended attempt
// is read from the store. A running one is subscribed to at its worker from the first byte on, and the worker sends
// what it still has; without `follow` the reader has caught up when nothing has come for `kQuiet`, or after `kLongest`.
// `tail_lines` uses the same moment: what came until then is cut to its last lines.
//
// Thread rule: any thread; its lock is never held while the relay, the feed, the store or the stream is called.
// Ownership: shared by the stream, the feed and the relay. Errors: those of selectors; DATA_LOSS OUTPUT_LOST when the
// attempt's worker was lost together with its output; NOT_FOUND NO_SUCH_ATTEMPT.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "master/request_handler/attached_task.h"
#include "master/request_handler/context.h"
#include "master/request_handler/tail_lines.h"
#include "master/request_handler/task_reader.h"
#include "master/request_handler/timer.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class LogsSession final : public Follower, public OutputReader, public std::enable_shared_from_this<LogsSession> {
 public:
  static constexpr absl::Duration kQuiet = absl::Milliseconds(300);
  static constexpr absl::Duration kLongest = absl::Seconds(2);

  struct Hooks {
    std::function<void()> wake;
    std::function<void(const absl::Status&)> finish;
  };
  LogsSession(Context* context, v1::LogsRequest request, Hooks hooks);

  void Start();
  bool Fill(v1::LogsResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnChange(const core::TaskChanged& change, const Stamp& stamp) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAccepted(const core::TasksAccepted&, const Stamp&) override {}
  void OnTurn(const Stamp&) override { hooks_.wake(); }
  void OnOverflow() override;
  void OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                int64_t skipped) override ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t WantedOffset(AttemptKey key, core::OutputStreamKind stream) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Writer;
  class Collector;

  // On the pool.
  void Begin();
  void NextTask();
  absl::Status OpenTask(TaskId id);
  void FetchReport(TaskId id, AttemptNumber number);
  absl::Status LostOutput(TaskId id, AttemptNumber number);

  // What follows from a change: subscriptions, reads, the next task.
  void Step() ABSL_LOCKS_EXCLUDED(mutex_);
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_);
  void StartTicking() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AttemptIsShown() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FlushTail(v1::LogsResponse* response) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Context* const context_;
  const v1::LogsRequest request_;
  const Hooks hooks_;
  const std::array<bool, 2> want_;
  std::deque<TaskRange> ranges_;  // still to be read; of the pool's job, one at a time

  absl::Mutex mutex_;
  std::unique_ptr<AttachedTask> task_ ABSL_GUARDED_BY(mutex_);  // the one that is being read
  std::array<TailLines, 2> tails_ ABSL_GUARDED_BY(mutex_);
  Timer timer_ ABSL_GUARDED_BY(mutex_);
  absl::Time opened_ ABSL_GUARDED_BY(mutex_);
  absl::Time last_chunk_ ABSL_GUARDED_BY(mutex_);
  absl::Status lost_ ABSL_GUARDED_BY(mutex_);        // told when all else has been
  bool ticking_ ABSL_GUARDED_BY(mutex_) = false;
  bool collecting_ ABSL_GUARDED_BY(mutex_) = false;  // for the last lines
  bool caught_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool working_ ABSL_GUARDED_BY(mutex_) = true;      // a job of the pool is on its way
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::handler
