// The ExecutionHost: puts directories, buffers, deadlines and plugins together. See execution_host.h.
//
// Its threads: `loop_` (timers and output; blocks on nothing but the listener), `health_` (asks plugins), `janitor_`
// (notices silent plugins, removes big directories, destroys finished executions). Plugins have their own.
// Thread rule: any thread. Ownership: in the order of its members; ends all attempts before the plugins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/runtime/clock.h"
#include "worker/execution/executor_table.h"
#include "worker/execution/host_loop.h"
#include "worker/execution/periodic.h"
#include "worker/execution/running_attempt.h"
#include "worker/execution/work_directories.h"

namespace muster::execution {

class PluginHost final : public ExecutionHost, private AttemptHost {
 public:
  PluginHost(HostConfig config, Listener* listener);
  ~PluginHost() override;
  absl::Status Open();

  std::vector<ExecutorOffer> Executors() const override { return executors_.Offers(); }
  std::string KillTier() const override { return executors_.KillTier(); }
  std::string Isolation() const override { return executors_.Isolation(); }
  void Start(AttemptRequest request) override;
  void Validate(AttemptKey key) override;
  void Stop(AttemptKey key, EndReason reason, absl::Duration kill_grace) override;
  void Kill(AttemptKey key, EndReason reason) override;
  void Subscribe(AttemptKey key, plugin::Stream stream, int64_t offset, bool lossless) override;
  void Acknowledge(AttemptKey key, plugin::Stream stream, int64_t offset) override;
  void Pause(AttemptKey key, plugin::Stream stream) override;
  void Detach(AttemptKey key, plugin::Stream stream) override;
  int64_t FreeDiskBytes() const override { return directories_->FreeBytes(); }
  int64_t FreeMemoryBytes() const override;

 private:
  using AttemptPtr = std::shared_ptr<RunningAttempt>;
  struct Row {
    AttemptPtr attempt;
    std::vector<HostLoop::Timer> timers;
  };

  // AttemptHost.
  absl::Time Now() const override { return clock_.Now(); }
  Listener& listener() override { return *listener_; }
  void NeedsFlush(AttemptPtr attempt, bool at_once) override { loop_->Flush(std::move(attempt), at_once); }
  void ReviewAfterGrace(AttemptPtr attempt) override;
  void Ended(AttemptPtr attempt, AttemptReportPtr report) override;

  AttemptPtr Find(AttemptKey key) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Add(const AttemptPtr& attempt) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<WorkDirectories::Lease> Prepare(AttemptRequest* request, bool wants_directory);
  void StopOne(const AttemptPtr& attempt, EndReason reason, absl::Duration grace, bool by_master);
  void TimerFor(const AttemptPtr& attempt, absl::Duration delay, void (PluginHost::*action)(const AttemptPtr&));
  void OnTimeout(const AttemptPtr& attempt);
  void OnGraceOver(const AttemptPtr& attempt);
  void OnReview(const AttemptPtr& attempt);
  void OnValidationTimeout(const AttemptPtr& attempt);
  void DestroyFinished() ABSL_LOCKS_EXCLUDED(mutex_);
  bool EndAll();
  bool Empty() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return rows_.empty() && ending_ == 0; }

  const HostConfig config_;
  Listener* const listener_;
  const runtime::SystemClock clock_;

  absl::Mutex mutex_;
  absl::flat_hash_map<AttemptKey, Row> rows_ ABSL_GUARDED_BY(mutex_);
  std::vector<AttemptPtr> finished_ ABSL_GUARDED_BY(mutex_);
  int ending_ ABSL_GUARDED_BY(mutex_) = 0;  // reports that are being handed over
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<WorkDirectories> directories_;
  ExecutorTable executors_;
  std::unique_ptr<HostLoop> loop_;
  std::unique_ptr<Periodic> health_;
  std::unique_ptr<Periodic> janitor_;
};

}  // namespace muster::execution
