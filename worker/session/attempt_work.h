// What an assignment becomes: a request that an executor can run. The batch's arguments are put in here, and the
// variables that every command gets (MUSTER_TASK_ID, MUSTER_ATTEMPT, MUSTER_WORKER, MUSTER_INDEX, MUSTER_WORKFLOW) are
// appended last, behind those that the master has put with it. A workflow's task also gets MUSTER_MASTER, unless it has
// one of its own.
//
// Specifications come serialized, each once per message; they are parsed once and shared by their assignments.
// Thread rule: values; AssignmentReader is used by one thread at a time (the stream's reader).
// Errors: an assignment that cannot be read, or that the worker's own policy refuses, becomes work that is `broken`, so that
// it ends with a report that says so.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/validation.h"
#include "worker/core/worker_core.h"
#include "worker/plugin_api/executor.h"

namespace muster::v1 {
class SessionRequest;
class TaskSpec;
}  // namespace muster::v1

namespace muster::policy {
class Policy;
}

namespace muster::worker {

// What commands are told of where they run.
struct Whereabouts {
  std::string worker;
  std::string master;  // as MUSTER_MASTER has it: host:port
  const policy::Policy* policy = nullptr;  // what may run here; null: all. Outlives its users
};

struct AttemptWork {
  AttemptKey key;
  plugin::Request request;
  absl::Duration run_timeout = absl::InfiniteDuration();
  absl::Duration kill_grace = absl::InfiniteDuration();
  absl::Time deadline = absl::InfiniteFuture();  // calendar, as the master sees it; else the timeout from the start on
  bool lossless = false;
  Validation validation;
  std::vector<std::string> outputs;  // values that it may write
  std::string broken;  // not empty: it cannot run, and why
};

// The assignments of one message. Impossible keys are left out and counted.
struct ReadAssignments {
  std::vector<Assigned> assigned;
  uint32_t malformed = 0;
};
ReadAssignments ReadAssignmentsOf(const v1::SessionRequest& message, StreamId stream, const Whereabouts& here);

// By the worker's own policy; empty: it may run here.
std::string WhyForbidden(const v1::TaskSpec& spec, const Whereabouts& here);

// A person's Execute, which may run here.
AttemptWork MakeDirectWork(const v1::TaskSpec& spec, uint64_t direct, const Whereabouts& here);

// Direct executions have names outside of the cluster's sequence.
AttemptKey DirectKey(uint64_t direct);
std::optional<uint64_t> DirectOf(AttemptKey key);
std::string DirectName(uint64_t direct);  // "direct-1"

// A name that the master can have given.
bool IsClusterKey(AttemptKey key);

// Sets MUSTER_DEADLINE (Unix seconds) when there is one; `now` is calendar time.
void SetDeadline(AttemptWork* work, absl::Time now);

}  // namespace muster::worker
