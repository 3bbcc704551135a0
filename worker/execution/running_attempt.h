// One attempt on its plugin: the plugin's Context on one side, the host's orders on the other.
//
//   work ─▶ (its end, judged by code and output) ─▶ ended
//                     └─▶ between: OnWorkEnded, until Validate ─▶ validation ─▶ ended
//
// Thread rule: any thread; its mutex is held for short moments and never while plugin or listener is called.
// Ownership: shared by the host's table, its timers and its dirty list; owns the plugin's Execution. The host and
// the listener outlive it. Units: absl at our side, std::chrono at the plugin's.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/execution/attempt_judge.h"
#include "worker/execution/execution_host.h"
#include "worker/execution/output_stream.h"
#include "worker/execution/plugin_metrics.h"
#include "worker/execution/validation_run.h"
#include "worker/execution/work_directories.h"

namespace muster::execution {

class RunningAttempt;

// What an attempt needs of the host.
class AttemptHost {
 public:
  virtual ~AttemptHost() = default;
  virtual absl::Time Now() const = 0;
  virtual Listener& listener() = 0;
  // Flush soon (output was written) or at once (a chunk is full).
  virtual void NeedsFlush(std::shared_ptr<RunningAttempt> attempt, bool at_once) = 0;
  // Ask ReviewReaders then.
  virtual void ReviewAfterGrace(std::shared_ptr<RunningAttempt> attempt) = 0;
  virtual void Ended(std::shared_ptr<RunningAttempt> attempt, AttemptReportPtr report) = 0;
};

class RunningAttempt final : public plugin::Context, public std::enable_shared_from_this<RunningAttempt> {
 public:
  RunningAttempt(AttemptHost* host, AttemptRequest request, PluginMetrics* metrics, WorkDirectories::Lease lease);
  ~RunningAttempt() override = default;

  AttemptKey key() const { return request_.key; }
  const AttemptRequest& request() const { return request_; }
  WorkDirectories::Lease TakeLease() { return std::move(lease_); }

  // Host's side.
  void Run(plugin::Executor* executor);
  // Starts the validation command, by the executor `command`. False: it is not the time for it.
  bool Validate(plugin::Executor* command);
  // Its time is over. False: it has ended.
  bool StopValidation();
  // `by_master`: not our own deadline. False: it has ended.
  bool Stop(EndReason reason, bool by_force, bool by_master);
  void Fail(std::string message, int error);
  void Subscribe(plugin::Stream stream, int64_t offset, bool lossless);
  void Acknowledge(plugin::Stream stream, int64_t offset);
  void Pause(plugin::Stream stream);
  void Detach(plugin::Stream stream);
  void ReviewReaders(absl::Duration attach_grace);
  // Hands at most `max_chunks` to the listener. True: there is more.
  bool Flush(int max_chunks);
  // It ended on another thread than Run's, so the plugin may still be on its way out of it.
  bool MustOutliveFinish() const ABSL_LOCKS_EXCLUDED(mutex_);
  void DestroyExecution();
  // The host is going away and the plugin has not finished: whatever it still says is dropped.
  void Abandon();

  // plugin::Context.
  void Started() override;
  size_t Output(plugin::Stream stream, std::string_view bytes) override;
  size_t Room(plugin::Stream stream) const override;
  void Log(plugin::Severity severity, std::string_view message,
           const std::vector<std::pair<std::string, std::string>>& fields) override;
  void Count(std::string_view name, double amount) override { metrics_->Count(name, amount); }
  void Observe(std::string_view name, double value) override { metrics_->Observe(name, value); }
  bool Cancelled() const override;
  void Finish(plugin::Result result) override;

 private:
  enum class Phase : uint8_t { kWork, kBetween, kValidation };

  OutputStream& stream(plugin::Stream which) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return streams_[which == plugin::Stream::kStderr ? 1 : 0];
  }
  // What the work wrote to its outputs' file, once it has exited.
  absl::StatusOr<NamedValues> WrittenOutputs(const plugin::Result& result) const ABSL_LOCKS_EXCLUDED(mutex_);
  void ValidationEnded(const plugin::Result& result, const std::string& last_line) ABSL_LOCKS_EXCLUDED(mutex_);
  // The attempt is over; the report is for the host.
  AttemptReportPtr Close(AttemptEnd end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NotDelivering() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !delivering_; }
  AttemptReportPtr MakeReport(AttemptEnd end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellStart() ABSL_LOCKS_EXCLUDED(mutex_);
  // After what may have made room: tells the plugin.
  void TellRoom(plugin::Stream which) ABSL_LOCKS_EXCLUDED(mutex_);

  AttemptHost* const host_;
  AttemptRequest request_;
  PluginMetrics* const metrics_;
  WorkDirectories::Lease lease_;

  mutable absl::Mutex mutex_;
  mutable OutputStream streams_[2] ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<plugin::Execution> execution_ ABSL_GUARDED_BY(mutex_);
  AttemptJudge judge_ ABSL_GUARDED_BY(mutex_);
  plugin::Request surroundings_;  // what a validation command shares with the work; set by Run, before any end
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kWork;
  AttemptEnd work_end_ ABSL_GUARDED_BY(mutex_);  // from kBetween on
  NamedValues outputs_ ABSL_GUARDED_BY(mutex_);  // of the work, should it all end well
  std::shared_ptr<ValidationRun> validation_ ABSL_GUARDED_BY(mutex_);
  bool validation_timed_out_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread::id run_thread_ ABSL_GUARDED_BY(mutex_);
  std::thread::id finish_thread_ ABSL_GUARDED_BY(mutex_);
  EndReason stop_reason_ ABSL_GUARDED_BY(mutex_) = EndReason::kNone;
  bool stop_by_force_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_by_master_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool untold_start_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;  // the host's loop has been told to flush it
  uint32_t log_lines_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time start_time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace muster::execution
