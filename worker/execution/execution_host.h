// Runs attempts on executor plugins: loads them, keeps their health, gives each attempt its directory, its output
// buffers (retained head and tail, and the lossless window), its deadline, and turns what they say into reports.
//
// It sits below the worker's session: Start comes down, the Listener's calls go up. What may run when is the core's
// to decide (worker/core), not ours.
// Thread rule: any thread; the Listener is called from the host's own threads, without its locks held, and must only
// post. Ownership: owns the plugins and all attempts; the listener must outlive it. Errors: Load's are start-up
// errors, one clear line each; an attempt never fails with a status but with a report.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/validation.h"
#include "common/domain/worker.h"
#include "worker/plugin_api/executor.h"

namespace muster::telemetry {
class Metrics;
}

namespace muster::execution {

struct ExecutorConfig {
  std::string name;
  std::string path;  // of the shared object; empty: a shipped one of that name
  std::vector<std::pair<std::string, std::string>> settings;
};

struct HostConfig {
  std::string worker_name;
  std::string work_dir;
  uint32_t slots = 1;
  std::vector<ExecutorConfig> executors;  // `command` and `noop` are loaded also when they are not named
  std::string plugin_dir;                 // of the shipped ones; empty: ../lib/muster beside the binary
  telemetry::Metrics* metrics = nullptr;  // for what plugins count; outlives the host
  absl::Duration kill_grace = absl::Seconds(5);
  absl::Duration health_interval = absl::Seconds(2);
  absl::Duration attach_grace = absl::Seconds(60);
  bool commands_have_users = false;  // other than the worker's, who must find their task's directory
  int64_t memory_limit_bytes = 0;  // of the whole worker; 0: what the machine or cgroup has
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Before any output, some milliseconds after it happened; never for an attempt whose report comes first.
  virtual void OnStarted(AttemptKey key, absl::Time time) = 0;
  // For a subscribed stream: bytes from `offset` on; `skipped` bytes before it are gone. At most 64 KiB, some
  // milliseconds after they were written. What was not sent when the attempt ends is in its report and comes no more.
  virtual void OnOutput(AttemptKey key, plugin::Stream stream, int64_t offset, std::string bytes,
                        int64_t skipped) = 0;
  // Its work has ended well, and so far nothing of it is left running: a validation is to follow, and Validate starts
  // it. At most once, after OnStarted.
  virtual void OnWorkEnded(AttemptKey key, absl::Time time) = 0;
  // Once, after everything else of the attempt; nothing of it is left running.
  virtual void OnEnded(AttemptReportPtr report) = 0;
  virtual void OnLog(AttemptKey key, absl::Time time, plugin::Severity severity, std::string message,
                     std::vector<std::pair<std::string, std::string>> fields) = 0;
  // An executor's health or capabilities changed.
  virtual void OnOfferChanged() = 0;
};

struct AttemptRequest {
  AttemptKey key;
  plugin::Request request;  // task_directory and deadline are the host's to fill in
  absl::Duration run_timeout = absl::InfiniteDuration();
  absl::Duration kill_grace = absl::InfiniteDuration();  // infinite: the host's
  bool lossless = false;
  Validation validation;
  std::vector<std::string> outputs;  // names of the values that it may write; needs a task directory
};

class ExecutionHost {
 public:
  // Loads and checks every plugin, cleans work_dir of what a predecessor left.
  static absl::StatusOr<std::unique_ptr<ExecutionHost>> Create(HostConfig config, Listener* listener);
  virtual ~ExecutionHost() = default;

  virtual std::vector<ExecutorOffer> Executors() const = 0;
  virtual std::string KillTier() const = 0;
  virtual std::string Isolation() const = 0;  // the tiers that commands can have, in words

  virtual void Start(AttemptRequest request) = 0;
  // After OnWorkEnded. Runs the attempt's validation command, by the executor `command`, in its directory and with its
  // environment; its result is the attempt's end. Unknown keys are ignored.
  virtual void Validate(AttemptKey key) = 0;
  // kCancelled, kPreempted or kLost: becomes the report's reason unless it had ended by itself. Unknown keys are
  // ignored. An infinite grace: the attempt's own.
  virtual void Stop(AttemptKey key, EndReason reason, absl::Duration kill_grace) = 0;
  // By force, at once: the lease is gone.
  virtual void Kill(AttemptKey key, EndReason reason) = 0;

  // --- Output. Offsets are of the attempt's stream. See muster.v1.OutputControl. While nobody is subscribed to a
  // lossless stream that is full, attach_grace runs; so Pause what a lost session was subscribed to.
  virtual void Subscribe(AttemptKey key, plugin::Stream stream, int64_t offset, bool lossless) = 0;
  virtual void Acknowledge(AttemptKey key, plugin::Stream stream, int64_t offset) = 0;
  virtual void Pause(AttemptKey key, plugin::Stream stream) = 0;
  virtual void Detach(AttemptKey key, plugin::Stream stream) = 0;

  virtual int64_t FreeDiskBytes() const = 0;
  virtual int64_t FreeMemoryBytes() const = 0;
};

}  // namespace muster::execution
