// What a worker decides, without a socket, a thread, a file or a clock: accepts, refuses, cancels, drains, fences,
// and remembers every result until the master has made it durable.
//
// Events come from the session, the execution host and the lease; effects go to them. A session is obeyed only while
// it is the newest (cluster, epoch, number); what an older one says is dropped.
// Thread rule: one thread, the worker's loop. Deterministic.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster::worker {

// A handle of the session's stream in this process; the effects name it.
using StreamId = StrongId<struct StreamIdTag, uint64_t>;

// --- Events.
struct SessionOpening {  // the master's first message
  StreamId stream;
  std::string cluster_id;
  Epoch epoch;
  SessionNumber session;
};
struct SessionEnded {
  StreamId stream;
};
struct Assigned {
  StreamId stream;
  AttemptKey key;
  uint32_t slots = 1;
  OnWorkerLoss on_worker_loss = OnWorkerLoss::kRerun;
  bool prefetched = false;
  std::shared_ptr<const void> work;  // opaque: handed back in StartExecution
};
struct StopRequested {
  StreamId stream;
  AttemptKey key;
  EndReason reason;
  absl::Duration kill_grace;
};
struct RecallRequested {
  StreamId stream;
  AttemptKey key;
};
struct ResultAcknowledged {
  StreamId stream;
  AttemptKey key;
};
struct ExecutionStarted {
  AttemptKey key;
  absl::Time time;
};
struct ExecutionEnded {
  AttemptReportPtr report;
};
// A heartbeat was answered: the lease holds until then.
struct LeaseExtended {
  absl::Time until;
};
struct DrainRequested {
  absl::Time deadline;  // then what is left is stopped as PREEMPTED
};
struct ResumeRequested {};
// Something makes it refuse new work (disk low), or no longer (empty).
struct RefusalChanged {
  std::string reason;
};
// A person's Execute: takes a slot or is refused, outside the master's numbers.
struct DirectRequested {
  uint64_t direct = 0;
  std::shared_ptr<const void> work;
};
struct DirectEnded {
  uint64_t direct = 0;
};
using WorkerEvent = std::variant<SessionOpening, SessionEnded, Assigned, StopRequested, RecallRequested,
                                 ResultAcknowledged, ExecutionStarted, ExecutionEnded, LeaseExtended,
                                 DrainRequested, ResumeRequested, RefusalChanged, DirectRequested, DirectEnded>;

// --- Effects.
enum class HeldPhase : uint8_t { kAccepted = 1, kRunning = 2, kFinished = 3 };
struct SendHello {
  StreamId stream;
  std::vector<std::pair<AttemptKey, HeldPhase>> held;
};
struct RejectSession {
  StreamId stream;
  std::string reason;
};
struct StartExecution {
  AttemptKey key;
  std::shared_ptr<const void> work;
};
struct StopExecution {
  AttemptKey key;
  EndReason reason;
  absl::Duration kill_grace;
  bool by_force = false;
};
struct SendStarted {
  StreamId stream;
  AttemptKey key;
  absl::Time time;
};
struct SendResult {
  StreamId stream;
  AttemptReportPtr report;
};
struct SendGivenBack {
  StreamId stream;
  AttemptKey key;
};
struct SendRefusal {
  StreamId stream;
  AttemptKey key;
  std::string reason;
};
struct StartDirect {
  uint64_t direct = 0;
  std::shared_ptr<const void> work;
};
struct RefuseDirect {
  uint64_t direct = 0;
  std::string reason;
};
// Everything has ended and every result is acknowledged, or the deadline has passed.
struct DrainFinished {
  uint32_t unacknowledged = 0;
};
using WorkerEffect = std::variant<SendHello, RejectSession, StartExecution, StopExecution, SendStarted, SendResult,
                                  SendGivenBack, SendRefusal, StartDirect, RefuseDirect, DrainFinished>;

struct WorkerCoreConfig {
  uint32_t slots = 1;
  uint32_t max_held = 4096;  // attempts accepted and results kept; beyond it, refused
};

struct WorkerCoreView {
  uint32_t running = 0;
  uint32_t waiting = 0;
  uint32_t used_slots = 0;
  uint32_t unacknowledged = 0;
  bool draining = false;
  std::string refuses_because;
};

class WorkerCore {
 public:
  explicit WorkerCore(WorkerCoreConfig config);
  ~WorkerCore();

  void Apply(WorkerEvent event, absl::Time now, std::vector<WorkerEffect>* effects);
  // What has come due: the lease, the drain deadline.
  void Tick(absl::Time now, std::vector<WorkerEffect>* effects);
  absl::Time NextDue() const;

  WorkerCoreView View() const;
  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::worker
