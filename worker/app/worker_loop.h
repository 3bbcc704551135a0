// The worker's loop: one thread that feeds the core and carries out what it decides.
//
// A turn takes everything from the mailbox, applies it message by message, does the effects in their order, and then
// lets the session's queue go if something in it is due. Reports linger up to kLinger while attempts wait for slots
// (a message then carries many results, and no slot is idle for it) and leave at once otherwise.
// An attempt that must not outlive the lease is shown to the supervisor first; then the lease is looked at again, and only
// then is it started. So a server that was stopped between the decision and the start never starts it too late: either it
// sees that the lease is over, or the supervisor sees that something must end with it.
// Thread rule: Post and view from any thread; Start and Stop from the composition root. Ownership: the parts must
// outlive Stop().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/runtime/clock.h"
#include "common/runtime/mailbox.h"
#include "worker/app/drain_narration.h"
#include "worker/app/fence_page.h"
#include "worker/app/output_relay.h"
#include "worker/app/worker_metrics.h"
#include "worker/core/worker_core.h"
#include "worker/execution/execution_host.h"
#include "worker/session/session_message.h"
#include "worker/session/worker_service.h"

namespace muster::worker {

class WorkerLoop {
 public:
  struct Parts {
    const runtime::Clock* clock = nullptr;  // the lease's
    execution::ExecutionHost* host = nullptr;
    WorkerService* service = nullptr;
    OutputRelay* relay = nullptr;
    WorkerMetrics* metrics = nullptr;
    FencePage* fence = nullptr;
    std::function<void(uint32_t unacknowledged)> drained;
    std::function<void()> load_changed;  // draining or refusing changed: the master should hear of it soon
  };

  WorkerLoop(const std::string& worker, WorkerCoreConfig config);
  ~WorkerLoop();

  void Post(SessionMessage message);
  void Post(WorkerEvent event);

  void Start(Parts parts);
  void Stop();

  WorkerCoreView view() const ABSL_LOCKS_EXCLUDED(view_mutex_);

 private:
  static constexpr absl::Duration kLinger = absl::Milliseconds(5);
  static constexpr absl::Duration kLongestWait = absl::Milliseconds(500);

  void Run();
  void Take(SessionMessage message);
  // `now`: when the core decided them.
  void Carry(std::vector<WorkerEffect>* effects, absl::Time now);
  void CarryOnce(std::vector<WorkerEffect>* effects);
  void NarrateDrain(const WorkerCoreView& view);
  void PublishView() ABSL_LOCKS_EXCLUDED(view_mutex_);
  void FlushReports();
  absl::Duration WaitFor() const;
  absl::Time DueFor() const;  // a report made now

  void Do(SendHello& effect);
  void Do(RejectSession& effect);
  void Do(StartExecution& effect);
  void Do(StartValidation& effect);
  void Do(StopExecution& effect);
  void Do(SendStarted& effect);
  void Do(SendValidating& effect);
  void Do(SendResult& effect);
  void Do(SendGivenBack& effect);
  void Do(SendRefusal& effect);
  void Do(StartDirect& effect);
  void Do(StartDirectValidation& effect);
  void Do(StopDirect& effect);
  void Do(RefuseDirect& effect);
  void Do(ClusterChanged& effect);
  void Do(Orphaned& effect);
  void Do(DrainFinished& effect);
  void ReportBroken(AttemptKey key, const std::string& why);
  void RefuseToStart(AttemptKey key);

  runtime::Mailbox<SessionMessage> mailbox_;
  WorkerCore core_;
  Parts parts_;
  std::shared_ptr<SessionReactor> session_;  // the one that is obeyed
  bool busy_ = false;                        // attempts wait for slots
  DrainNarration narration_;                 // for the log
  bool output_waits_ = false;                // for room in the session's queue
  std::vector<AttemptReportPtr> unstarted_;  // ends that the core has not heard of

  mutable absl::Mutex view_mutex_;
  WorkerCoreView view_ ABSL_GUARDED_BY(view_mutex_);
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace muster::worker
