// The names of things, each a type of its own.
// Thread rule: values.
#pragma once

#include <cstdint>

#include "common/base/strong_id.h"

namespace muster {

// The cluster's sequence number: tasks, batches and batch parts draw from one sequence. Shown in Crockford base 32.
using TaskId = StrongId<struct TaskIdTag, uint64_t>;

// 1, 2, ... for a task; never reused. 16 bits in the store.
using AttemptNumber = StrongId<struct AttemptNumberTag, uint32_t>;
inline constexpr uint32_t kMaxAttemptNumber = 65535;

// A worker's name, interned by the registry for one run of the master.
using WorkerId = StrongId<struct WorkerIdTag, uint32_t>;

// Random per start of a worker.
using Incarnation = StrongId<struct IncarnationTag, uint64_t>;

// One more for each start of a master on the store.
using Epoch = StrongId<struct EpochTag, int64_t>;

// One dispatch stream; higher is newer within an epoch.
using SessionNumber = StrongId<struct SessionNumberTag, uint64_t>;

// One transaction of the store.
using CommitNumber = StrongId<struct CommitNumberTag, int64_t>;

// A client's call that waits for an answer; drawn by the request handler.
using CallId = StrongId<struct CallIdTag, uint64_t>;

// An attempt's name for life.
struct AttemptKey {
  TaskId task;
  AttemptNumber number;

  friend constexpr auto operator<=>(const AttemptKey&, const AttemptKey&) = default;
  template <typename H>
  friend H AbslHashValue(H state, const AttemptKey& key) {
    return H::combine(std::move(state), key.task, key.number);
  }
};

// `count` ids from `first` on.
struct TaskRange {
  TaskId first;
  uint64_t count = 0;

  friend constexpr bool operator==(const TaskRange&, const TaskRange&) = default;
};

}  // namespace muster
