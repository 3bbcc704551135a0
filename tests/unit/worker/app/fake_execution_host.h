// An execution host that records what it is told and ends attempts when the test says so.
// Thread rule: any thread.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "worker/execution/execution_host.h"

namespace muster::worker {

class FakeExecutionHost final : public execution::ExecutionHost {
 public:
  explicit FakeExecutionHost(execution::Listener* listener) : listener_(listener) {}

  std::vector<ExecutorOffer> Executors() const override {
    absl::MutexLock lock(&mutex_);
    return {{.name = "command", .healthy = healthy_, .reason = healthy_ ? "" : "no /proc"}};
  }
  std::string KillTier() const override { return "fake"; }
  std::string Isolation() const override { return "plain"; }
  void Start(execution::AttemptRequest request) override {
    const AttemptKey key = request.key;
    {
      absl::MutexLock lock(&mutex_);
      started_.emplace(key, std::move(request));
      ++ever_started_;
    }
    listener_->OnStarted(key, absl::Now());
  }
  void Validate(AttemptKey key) override {
    absl::MutexLock lock(&mutex_);
    validated_.insert(key);
  }
  void Stop(AttemptKey key, EndReason reason, absl::Duration) override { End(key, reason); }
  void Kill(AttemptKey key, EndReason reason) override { End(key, reason); }
  void Subscribe(AttemptKey key, plugin::Stream stream, int64_t offset, bool) override {
    absl::MutexLock lock(&mutex_);
    subscribed_[{key, stream}] = offset;
  }
  void Acknowledge(AttemptKey, plugin::Stream, int64_t) override {}
  void Pause(AttemptKey key, plugin::Stream stream) override {
    absl::MutexLock lock(&mutex_);
    subscribed_.erase({key, stream});
  }
  void Detach(AttemptKey, plugin::Stream) override {}
  int64_t FreeDiskBytes() const override {
    absl::MutexLock lock(&mutex_);
    return free_disk_;
  }
  int64_t FreeMemoryBytes() const override { return int64_t{1} << 40; }

  // --- What the test does and asks.
  void End(AttemptKey key, EndReason reason = EndReason::kExited) {
    {
      absl::MutexLock lock(&mutex_);
      if (started_.erase(key) == 0) return;
    }
    auto report = std::make_shared<AttemptReport>();
    report->key = key;
    report->end.reason = reason;
    report->started = true;
    report->start_time = report->end_time = absl::Now();
    report->stopped = reason != EndReason::kExited;
    listener_->OnEnded(report);
  }
  void EndWork(AttemptKey key) { listener_->OnWorkEnded(key, absl::Now()); }
  bool WaitUntilValidated(AttemptKey key) const {
    absl::MutexLock lock(&mutex_);
    const auto is = [this, key]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return validated_.contains(key); };
    return mutex_.AwaitWithTimeout(absl::Condition(&is), absl::Seconds(20));
  }
  void Output(AttemptKey key, int64_t offset, std::string bytes) {
    listener_->OnOutput(key, plugin::Stream::kStdout, offset, std::move(bytes), 0);
  }
  void SetHealthy(bool healthy) {
    {
      absl::MutexLock lock(&mutex_);
      healthy_ = healthy;
    }
    listener_->OnOfferChanged();
  }
  void SetFreeDisk(int64_t bytes) {
    absl::MutexLock lock(&mutex_);
    free_disk_ = bytes;
  }
  bool WaitUntilRunning(AttemptKey key) const {
    absl::MutexLock lock(&mutex_);
    const auto runs = [this, key]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return started_.contains(key); };
    return mutex_.AwaitWithTimeout(absl::Condition(&runs), absl::Seconds(20));
  }
  bool WaitUntilSubscribed(AttemptKey key, int64_t offset) const {
    absl::MutexLock lock(&mutex_);
    const auto is = [this, key, offset]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      const auto it = subscribed_.find({key, plugin::Stream::kStdout});
      return it != subscribed_.end() && it->second == offset;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&is), absl::Seconds(20));
  }
  // So many were ever started.
  int started() const {
    absl::MutexLock lock(&mutex_);
    return ever_started_;
  }
  bool IsRunning(AttemptKey key) const {
    absl::MutexLock lock(&mutex_);
    return started_.contains(key);
  }

 private:
  execution::Listener* const listener_;
  mutable absl::Mutex mutex_;
  bool healthy_ ABSL_GUARDED_BY(mutex_) = true;
  int64_t free_disk_ ABSL_GUARDED_BY(mutex_) = int64_t{1} << 40;
  int ever_started_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<AttemptKey, execution::AttemptRequest> started_ ABSL_GUARDED_BY(mutex_);
  std::set<AttemptKey> validated_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<AttemptKey, plugin::Stream>, int64_t> subscribed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::worker
