// The flags that describe a task, the same for run, submit and map, and the specification that they make.
//
// Thread rule: one thread. Errors: errors.h's UsageError, naming the flag.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

class Flags;

struct TaskFlags {
  std::string name, queue, executor, working_directory, stdin_file, script, on_worker_loss, at, limit_key;
  std::string retry_on, never_retry, retry_delay, accept_exit, validate_output, validate, outputs;
  std::string isolation;
  std::string file;  // -f
  std::string request_id;
  std::optional<int64_t> priority, retries, slots, limit;
  std::optional<double> cpu;
  std::optional<int64_t> memory_bytes, disk_bytes;
  std::optional<absl::Duration> run_timeout, queue_timeout, kill_grace, delay, validate_timeout;
  std::vector<std::string> environment, environment_files, needs, avoids, resources, labels, after;
  bool shell = false, spread = false, pack = false, no_network = false;

  void Declare(Flags& flags);

  // `argv` may be empty (a script, or -f brings the command). Reads the files that the flags name.
  absl::StatusOr<v1::TaskSpec> Build(const std::vector<std::string>& argv, absl::Time now) const;
  // As Build, on top of the one task in -f when there is one; refuses what has nothing to run.
  absl::StatusOr<v1::TaskSpec> BuildWhole(const std::vector<std::string>& argv, absl::Time now) const;
};

// "KEY=VALUE" or "KEY"; INVALID_ARGUMENT when there is no key.
absl::StatusOr<v1::Label> ParseLabel(const std::string& text);
// BASE[,CAP] of --retry-delay, and the mode of --on-worker-loss.
// Of --retry-on and --never-retry; empty: not given.
absl::Status SetRetryCodes(const std::string& retry_on, const std::string& never_retry, v1::RetryPolicy* retry);
absl::Status SetRetryDelay(const std::string& text, v1::RetryPolicy* retry);
absl::StatusOr<v1::OnWorkerLoss> ParseLossMode(const std::string& text);
// user@host.
std::string Owner();
// At most `limit` bytes of a file or of stdin ("-"); `what` names the flag.
absl::StatusOr<std::string> ReadInput(const std::string& file, size_t limit, const std::string& what);

}  // namespace muster::cli
