// What a worker decides, without a socket, a thread, a file or a clock: accepts, refuses, cancels, drains, fences,
// and remembers every result until the master has made it durable.
//
// Events come from the session, the execution host and the lease; effects go to them, in order. What it promises:
//   - A session is obeyed only while it is the newest (cluster, epoch, number); what an older one says is dropped.
//   - An accepted attempt ends in exactly one of: a result, or given back (it never started). A refused one was never
//     accepted. An assignment that repeats what is held is no new one: the worker says again what it knows.
//   - A result is kept, and repeated at each session, until it is acknowledged.
//   - Never more slots in use than there are; what waits starts in the order of its arrival.
//   - Without a lease nothing runs that must not run twice (RERUN_AFTER_FENCE).
//   - A master of another cluster: what the old one's attempts do is stopped, and their ends are told as Orphaned.
// Thread rule: one thread, the worker's loop. Deterministic. `now` never goes back. Ownership: `work` is opaque, held
// until the attempt has started or is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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
// Its command has ended well, and a validation follows when it is told to.
struct WorkEnded {
  AttemptKey key;
  absl::Time time;
};
struct ExecutionEnded {
  AttemptReportPtr report;
};
// A heartbeat was answered: the lease holds until then, for what comes on no older session than this.
struct LeaseExtended {
  absl::Time until;
  std::string cluster_id;  // empty: it does not say
  Epoch epoch;
  SessionNumber first_valid_session;
};
// Nothing new; what waits is given back, what runs may finish until the deadline and is then stopped as PREEMPTED.
struct DrainRequested {
  StreamId stream;      // 0: this process itself
  absl::Time deadline;
  bool leaving = false;  // the process ends afterwards: DrainFinished follows, and nothing resumes it
};
struct ResumeRequested {
  StreamId stream;
};
// Something makes it refuse new work (disk low), or no longer (empty).
struct RefusalChanged {
  std::string reason;
};
// A person's Execute: takes a slot or is refused, outside the master's numbers.
struct DirectRequested {
  uint64_t direct = 0;
  std::shared_ptr<const void> work;
};
struct DirectWorkEnded {
  uint64_t direct = 0;
};
struct DirectEnded {
  uint64_t direct = 0;
};
using WorkerEvent = std::variant<SessionOpening, SessionEnded, Assigned, StopRequested, RecallRequested,
                                 ResultAcknowledged, ExecutionStarted, WorkEnded, ExecutionEnded, LeaseExtended,
                                 DrainRequested, ResumeRequested, RefusalChanged, DirectRequested, DirectWorkEnded,
                                 DirectEnded>;

// --- Effects.
enum class HeldPhase : uint8_t { kAccepted = 1, kRunning = 2, kFinished = 3, kValidating = 4 };
struct SendHello {
  StreamId stream;
  std::vector<std::pair<AttemptKey, HeldPhase>> held;  // in the order of their acceptance
};
// Not obeyed, or no longer: a newer one took over.
struct RejectSession {
  StreamId stream;
  std::string reason;
};
// Infinite `before`: whenever. Else it must not outlive the lease, which ends then: whoever starts it looks at the clock
// once more, after the supervisor has been told of it, and when that moment has passed says ExecutionEnded (REJECTED).
struct StartExecution {
  AttemptKey key;
  std::shared_ptr<const void> work;
  absl::Time before = absl::InfiniteFuture();
};
// The next step of one that runs. `before` as above: when that moment has passed it is killed in place of it.
struct StartValidation {
  AttemptKey key;
  absl::Time before = absl::InfiniteFuture();
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
struct SendValidating {
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
struct StartDirectValidation {
  uint64_t direct = 0;
};
struct StopDirect {
  uint64_t direct = 0;
};
struct RefuseDirect {
  uint64_t direct = 0;
  std::string reason;
};
// Another cluster's master took over: so many attempts and results of the old one are let go.
struct ClusterChanged {
  std::string from;
  std::string to;
  uint32_t stopped = 0;
  uint32_t dropped_results = 0;
};
// An attempt of a former cluster ended; nobody is there to hear of it.
struct Orphaned {
  AttemptReportPtr report;
};
// Leaving: everything has ended and every result is acknowledged, or there is no more time. Once.
struct DrainFinished {
  uint32_t unacknowledged = 0;  // results, and attempts that still run
};
using WorkerEffect =
    std::variant<SendHello, RejectSession, StartExecution, StartValidation, StopExecution, SendStarted, SendValidating,
                 SendResult, SendGivenBack, SendRefusal, StartDirect, StartDirectValidation, StopDirect, RefuseDirect,
                 ClusterChanged, Orphaned, DrainFinished>;

struct WorkerCoreConfig {
  uint32_t slots = 1;
  uint32_t max_held = 4096;  // attempts accepted and results kept; beyond it, refused
  // After a drain's deadline: from the polite stop to the one by force, and to giving up on acknowledgements.
  absl::Duration drain_force_after = absl::Seconds(3);
  absl::Duration drain_give_up_after = absl::Seconds(5);
};

// How far a drain is.
struct DrainView {
  absl::Time deadline;              // what runs then is stopped
  absl::Time give_up;               // leaving: it ends then at the latest
  bool leaving = false;             // the process ends afterwards
  std::vector<AttemptKey> running;  // in the order of their arrival
  std::vector<AttemptKey> stopped;  // because the time was up
};

struct WorkerCoreView {
  uint32_t running = 0;         // attempts, direct ones and orphans included
  uint32_t fenced_running = 0;  // of them RERUN_AFTER_FENCE: they must not outlive the lease
  uint32_t waiting = 0;
  uint32_t used_slots = 0;
  uint32_t unacknowledged = 0;  // results kept
  bool session_open = false;
  bool draining = false;
  std::optional<DrainView> drain;  // while draining
  std::string refuses_because;     // in words, draining included
};

class WorkerCore {
 public:
  explicit WorkerCore(WorkerCoreConfig config);
  ~WorkerCore();

  void Apply(WorkerEvent event, absl::Time now, std::vector<WorkerEffect>* effects);
  // What has come due: the lease, the drain deadline.
  void Tick(absl::Time now, std::vector<WorkerEffect>* effects);
  absl::Time NextDue() const;  // InfiniteFuture: nothing will come due by itself

  WorkerCoreView View() const;
  bool IsCurrent(StreamId stream) const;
  std::optional<HeldPhase> PhaseOf(AttemptKey key) const;
  void CheckInvariants() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::worker
