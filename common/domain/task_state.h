// The states of a task, each with what it carries, and the table of moves between them. docs/states.md draws it.
//
// Thread rule: values; the functions are pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "absl/time/time.h"
#include "common/domain/ids.h"

namespace muster {

// Numbers are those of muster.v1.TaskState.
enum class TaskState : uint8_t {
  kNone = 0,
  kPending = 1,
  kQueued = 2,
  kDispatched = 3,
  kRunning = 4,
  kValidating = 5,
  kUnknown = 6,
  kSucceeded = 7,
  kFailed = 8,
  kCancelled = 9,
  kTimedOut = 10,
  kLost = 11,
  kPoisoned = 12,
};

enum class PendingReason : uint8_t { kStartTime, kRetry, kWorkerLost, kDependencies, kWorkflow };

struct Pending {
  PendingReason reason;
  absl::Time until;  // InfiniteFuture: not time, but an event ends it
  absl::Time since = absl::InfinitePast();  // infinite: a restart lost it
};
struct Queued {
  absl::Time since;
};
// The attempt's place while there is one.
struct Dispatched {
  AttemptNumber attempt;
  WorkerId worker;
  Incarnation incarnation;
  bool prefetched = false;
};
struct Running {
  AttemptNumber attempt;
  WorkerId worker;
  Incarnation incarnation;
  absl::Time since;
};
// Its command has ended well; the worker runs what validates it.
struct Validating {
  AttemptNumber attempt;
  WorkerId worker;
  Incarnation incarnation;
  absl::Time started;  // when it became RUNNING
  absl::Time since;
};
// Its worker is lost and the task must not run twice.
struct Unknown {
  AttemptNumber attempt;
  WorkerId worker;
  Incarnation incarnation;
  absl::Time give_up;
};
struct Ended {
  TaskState state;  // a terminal one
  AttemptNumber attempt;  // 0: it never had one
  std::string reason;
};
using StateData = std::variant<Pending, Queued, Dispatched, Running, Validating, Unknown, Ended>;

TaskState StateOf(const StateData& data);
bool IsTerminal(TaskState state);
std::string_view TaskStateName(TaskState state);  // "QUEUED"

// Whether the table of docs/states.md has a move from one to the other. kNone is "not there yet".
bool CanMove(TaskState from, TaskState to);

}  // namespace muster
