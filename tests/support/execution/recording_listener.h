// An ExecutionHost with a listener that records, for tests that run real attempts.
//
//   HostFixture host;                     // its own work_dir, the shipped plugins
//   AttemptReportPtr report = host.RunCommand({"echo", "hi"});
//
// Waiting polls a condition with a deadline. Thread rule: the recording is locked; the fixture is one thread's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/execution/execution_host.h"
#include "worker/execution/plugin_library.h"

namespace muster::execution {

class RecordingListener final : public Listener {
 public:
  struct Output {
    std::string bytes;      // everything that was sent, in order
    int64_t next = 0;       // offset after it
    int64_t skipped = 0;
    int chunks = 0;
  };

  void OnStarted(AttemptKey key, absl::Time time) override;
  void OnOutput(AttemptKey key, plugin::Stream stream, int64_t offset, std::string bytes, int64_t skipped) override;
  void OnWorkEnded(AttemptKey key, absl::Time time) override;
  void OnEnded(AttemptReportPtr report) override;
  void OnLog(AttemptKey key, absl::Time time, plugin::Severity severity, std::string message,
             std::vector<std::pair<std::string, std::string>> fields) override;
  void OnOfferChanged() override;

  bool Started(AttemptKey key) const;
  bool WorkEnded(AttemptKey key) const;
  Output OutputOf(AttemptKey key, plugin::Stream stream) const;
  AttemptReportPtr Report(AttemptKey key) const;
  size_t ended() const;
  int offer_changes() const;
  std::vector<std::string> logs() const;

 private:
  mutable absl::Mutex mutex_;
  std::map<AttemptKey, absl::Time> started_ ABSL_GUARDED_BY(mutex_);
  std::map<AttemptKey, absl::Time> work_ended_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<AttemptKey, plugin::Stream>, Output> outputs_ ABSL_GUARDED_BY(mutex_);
  std::map<AttemptKey, AttemptReportPtr> reports_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> logs_ ABSL_GUARDED_BY(mutex_);
  int offer_changes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// True once `condition` holds; false after `limit`.
bool Eventually(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(20));

// A directory that is gone at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class HostFixture {
 public:
  explicit HostFixture(const std::function<void(HostConfig*)>& adjust = nullptr);

  ExecutionHost& host() { return *host_; }
  RecordingListener& listener() { return listener_; }
  const HostConfig& config() const { return config_; }
  void Stop() { host_.reset(); }

  AttemptRequest Command(std::vector<std::string> argv);
  AttemptRequest Noop(std::string parameters);
  AttemptKey Start(AttemptRequest request);
  // Until its work has ended well and its validation is to follow.
  bool AwaitWorkEnded(AttemptKey key);
  AttemptReportPtr WaitFor(AttemptKey key, absl::Duration limit = absl::Seconds(20));
  AttemptReportPtr Run(AttemptRequest request) { return WaitFor(Start(std::move(request))); }
  AttemptReportPtr RunCommand(std::vector<std::string> argv) { return Run(Command(std::move(argv))); }

 private:
  TemporaryDirectory directory_;
  HostConfig config_;
  RecordingListener listener_;
  std::unique_ptr<ExecutionHost> host_;
  uint64_t next_task_ = 1;
};

// The path of a plugin that only tests have.
inline std::string TestPlugin(const std::string& name) { return ShippedPluginDirectory() + "/../muster-test/" + name + ".so"; }

}  // namespace muster::execution
