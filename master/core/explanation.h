// Why a task is where it is, as the core tells it: one cause with a stable code, its figures in a sentence, what the
// workers say, and what would change it. explain.h makes it; the request handler turns it into muster.v1.Explanation.
//
// The codes are one table: Reasons(). A new cause is a line there, one in muster.v1.ReasonCode, one in docs/explain.md,
// and the place that finds it (explain.cc, queued_verdict.cc, holds.cc); tests hold the four together.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/task_state.h"
#include "master/scheduler/start_estimate.h"

namespace muster::core {

// Numbers are those of muster.v1.ReasonCode, which says what each means.
enum class ReasonCode : uint8_t {
  kStartsNow = 1,
  kWaitsForSlot = 2,
  kWaitsForResource = 3,
  kBehindHigherPriority = 4,
  kBehindEarlier = 5,
  kAvoidsFailedWorker = 6,
  kWorkersDraining = 7,
  kWorkersSuspect = 8,
  kWorkersQuarantined = 9,
  kWorkersRefuse = 10,
  kNoWorkers = 11,
  kNoExecutor = 12,
  kExecutorUnhealthy = 13,
  kNoWorkerHasNeed = 14,
  kNoWorkerHasAll = 15,
  kNoWorkerEverFits = 16,
  kPausedAfterRefusal = 17,
  kKeepsApart = 18,
  kMasterStopping = 19,
  kStartTime = 20,
  kRetryLater = 21,
  kBeyondRetryBudget = 22,
  kRerunsAfterLoss = 23,
  kStarting = 24,
  kSentAhead = 25,
  kRunning = 26,
  kWorkerOutOfTouch = 27,
  kCancelRequested = 28,
  kUnknownWorkerLost = 29,
  kEnded = 30,
  kQueuePaused = 31,
  kQueueAtLimit = 32,
  kQueueRate = 33,
  kKeyLimit = 34,
  kKeyOrder = 35,
  kNoWorkerWithoutAvoided = 36,
  kValidating = 37,
  kRoomIsHeld = 38,
  kWorkersHeld = 39,
  kClusterLacks = 40,
  kClusterNeverHas = 41,
  kNoWorkerValidates = 42,
  kDependency = 43,
  kWorkflow = 44,
  kNoWorkerIsolates = 45,
};

struct ReasonRow {
  ReasonCode code;
  std::string_view name;    // "WAITS_FOR_SLOT"
  std::string_view advice;  // what to do; empty: nothing need be done
};
std::span<const ReasonRow> Reasons();  // by number, each once
const ReasonRow& ReasonRowOf(ReasonCode code);

// Workers that fail the same requirement for the same cause.
struct WorkerGroup {
  std::string_view filter;
  std::string cause;
  uint32_t count = 0;
  struct Example {
    std::string worker;
    std::string why;
  };
  std::vector<Example> examples;
};

struct NearestWorker {
  std::string worker;
  std::vector<std::string> misses;
};

// In its queue. All counts are "at least" when `more`.
struct QueuePosition {
  std::string queue;
  uint64_t queued = 0;  // with this one
  uint64_t ahead = 0;
  uint64_t ahead_by_priority = 0;  // of those; the others have waited for longer
  uint64_t competing = 0;          // of those ahead: could take what this one waits for
  uint64_t competing_by_priority = 0;
  bool more = false;
};

struct Explanation {
  TaskId task;  // 0: of a specification that is not submitted
  TaskState state = TaskState::kNone;
  absl::Time since = absl::InfinitePast();  // infinite: not known
  ReasonCode code = ReasonCode::kEnded;
  std::string sentence;
  std::string worker;                              // that has it, or gets it
  absl::Time held_until = absl::InfiniteFuture();  // infinite: not time, or nothing, ends it

  // Of what waits.
  uint32_t workers = 0;
  std::vector<WorkerGroup> groups;
  std::optional<NearestWorker> nearest;
  std::string would_start_now;  // "with memory <= 6 GiB"
  std::optional<QueuePosition> position;
  // Where slots are what it waits for: what its start depends on (scheduler/start_estimate.h). Null: nothing to tell.
  std::shared_ptr<const scheduler::StartModel> start_model;
};

}  // namespace muster::core
