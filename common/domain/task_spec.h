// What a user asked for, as far as the master must understand it. Made once when a submit is validated, shared by
// all tasks of a batch, never changed.
//
// Thread rule: immutable once shared. Times are absl; "none" is InfiniteDuration / InfinitePast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/dependency.h"
#include "common/domain/ids.h"

namespace muster {

enum class OnWorkerLoss : uint8_t { kRerun, kRerunAfterFence, kHold };

// "NAME" or "NAME=VALUE".
struct Need {
  std::string name;
  std::string value;
  bool has_value = false;

  friend auto operator<=>(const Need&, const Need&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Need& need) {
    return H::combine(std::move(state), need.name, need.value, need.has_value);
  }
};

// What of a worker something takes or has. `named` is sorted by name.
struct ResourceAmounts {
  uint32_t slots = 0;
  int64_t cpu_millis = 0;
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  std::vector<std::pair<std::string, int64_t>> named;

  friend bool operator==(const ResourceAmounts&, const ResourceAmounts&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const ResourceAmounts& amounts) {
    return H::combine(std::move(state), amounts.slots, amounts.cpu_millis, amounts.memory_bytes, amounts.disk_bytes,
                      amounts.named);
  }
};

// Which of the workers that could take a task: as the balancer has it, the one with the fewest of its kind, the fullest.
// Numbers are those of muster.v1.Arrangement.
enum class Arrangement : uint8_t { kBalanced = 0, kSpread = 1, kPack = 2 };

// Tasks with equal requirements form a class: where one finds no room, none of them does.
struct Requirements {
  std::string executor;
  std::vector<Need> needs;     // sorted, no duplicates
  std::vector<Need> excludes;  // the same: what a worker must not have; `avoids` in the API
  ResourceAmounts resources;
  std::vector<std::pair<std::string, int64_t>> of_cluster;  // counted over all workers; the core takes it out of resources.named
  Arrangement arrangement = Arrangement::kBalanced;

  friend bool operator==(const Requirements&, const Requirements&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const Requirements& r) {
    return H::combine(std::move(state), r.executor, r.needs, r.excludes, r.resources, r.of_cluster, r.arrangement);
  }
  // One slot and nothing else that is counted, on any worker: may be sent ahead of a free slot.
  bool OneSlotOnly() const {
    return arrangement == Arrangement::kBalanced && resources.slots == 1 && resources.cpu_millis == 0 &&
           resources.memory_bytes == 0 && resources.disk_bytes == 0 && resources.named.empty() && of_cluster.empty();
  }
};

struct RetryPolicy {
  uint32_t max_attempts = 1;
  absl::Duration base_delay = absl::Seconds(1);
  absl::Duration max_delay = absl::Seconds(60);
  std::vector<int32_t> on_exit_codes;  // empty: every failure
  std::vector<int32_t> never_on_exit_codes;

  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

struct TaskSpec {
  std::string name;
  std::string queue = "default";
  std::string owner;
  int32_t priority = 0;
  Requirements requirements;
  RetryPolicy retry;
  OnWorkerLoss on_worker_loss = OnWorkerLoss::kRerun;
  uint32_t max_worker_losses = 3;
  absl::Duration run_timeout = absl::InfiniteDuration();
  absl::Duration queue_timeout = absl::InfiniteDuration();
  absl::Duration kill_grace = absl::InfiniteDuration();  // infinite: the worker's own
  absl::Time start_time = absl::InfinitePast();
  std::vector<std::pair<std::string, std::string>> labels;
  std::string limit_key;  // at most `limit` tasks with it run at once; empty: no such limit
  uint32_t limit = 0;
  std::vector<int32_t> accepted_exit_codes;  // that may be a success; empty: 0
  bool lossless_output = false;
  bool in_workflow = false;  // what it depends on is not in its payload: a workflow's rows say it
  std::vector<std::string> outputs;  // values that it may write
  uint64_t fingerprint = 0;  // what is likely to run equally long: executor and command template
  std::vector<Dependency> dependencies;
  std::string payload;         // the serialized muster.v1.TaskSpec, stored and forwarded as it came
  size_t dependency_bytes = 0;  // at its end: the dependencies, which are nobody's business but the master's

  std::string_view payload_for_workers() const { return {payload.data(), payload.size() - dependency_bytes}; }
};
using TaskSpecPtr = std::shared_ptr<const TaskSpec>;

// A batch's argument rows, in order.
using ArgumentRows = std::vector<std::vector<std::string>>;
using ArgumentRowsPtr = std::shared_ptr<const ArgumentRows>;

}  // namespace muster
