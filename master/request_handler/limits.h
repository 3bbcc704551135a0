// The bounds of what clients may ask of the task service, and the policy, which is one of them. docs/configuration.md names those that can be set.
// Thread rule: a value. Units are in the names.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace muster::policy {
class Policy;
}

namespace muster::handler {

inline constexpr size_t kLongestName = 128;     // of a task, a queue, an executor, a worker
inline constexpr size_t kLongestReason = 1024;  // a word that goes with a change

struct TaskLimits {
  const policy::Policy* policy = nullptr;   // who may run what; null: whoever may submit, anything. Outlives its users

  // --- One specification.
  size_t argument_bytes = 131072 - 1;       // MAX_ARG_STRLEN counts the closing NUL
  size_t command_bytes = 3 << 19;           // argv and environment together: 1.5 MiB
  size_t stdin_bytes = 1 << 20;
  size_t script_bytes = 1 << 20;
  size_t parameters_bytes = 1 << 20;
  size_t labels = 64;
  size_t needs = 64;
  size_t resources = 64;
  size_t dependencies = 10'000;
  uint32_t max_attempts = 1000;
  uint32_t max_slots = 65536;
  absl::Duration longest_timeout = absl::Hours(24 * 365 * 10);

  // --- One call.
  size_t rows = 1'000'000;                  // of a batch call
  size_t call_dependencies = 100'000;       // of all its tasks; each part of a batch counts
  size_t selectors = 1000;
  uint64_t retried_tasks = 100'000;
  uint64_t retried_bytes = uint64_t{64} << 20;  // of specifications made by one call
  int32_t page_size = 1000;

  // --- Streams.
  uint64_t attached_tasks = 1'000'000;      // by one reader
  size_t streams = 4096;                    // Watch, Attach and Logs together
  int64_t reader_bytes = 8 << 20;           // held for one reader: live chunks and retained output
  int64_t message_bytes = 256 << 10;        // of one answer of a stream
  size_t watch_changes = 1'000'000;         // not yet told to one watcher; beyond it it must start anew

  // --- The read pool.
  size_t read_threads = 3;
  size_t read_queue = 4096;
  absl::Duration inspect_wait = absl::Seconds(30);  // for the loop's answer to a question
};

}  // namespace muster::handler
