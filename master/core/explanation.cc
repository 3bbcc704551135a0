#include "master/core/explanation.h"

#include <iterator>

#include "common/base/check.h"

namespace muster::core {
namespace {

constexpr ReasonRow kReasons[] = {
    {ReasonCode::kStartsNow, "STARTS_NOW", ""},
    {ReasonCode::kWaitsForSlot, "WAITS_FOR_SLOT", "Wait, or add workers or slots."},
    {ReasonCode::kWaitsForResource, "WAITS_FOR_RESOURCE", "Wait, ask for less, or add workers that have more of it."},
    {ReasonCode::kBehindHigherPriority, "BEHIND_HIGHER_PRIORITY",
     "Wait (a waiting task gains a step of priority with each aging interval), submit with a higher --priority, or add workers."},
    {ReasonCode::kBehindEarlier, "BEHIND_EARLIER", "Wait, submit with a higher --priority, or add workers."},
    {ReasonCode::kAvoidsFailedWorker, "AVOIDS_FAILED_WORKER",
     "Wait for another worker, or drain the busy ones: then it takes the one that failed it."},
    {ReasonCode::kWorkersDraining, "WORKERS_DRAINING", "muster worker resume NAME, or start other workers."},
    {ReasonCode::kWorkersSuspect, "WORKERS_SUSPECT",
     "Look at the workers' logs and network; the master must reach the address that each advertises."},
    {ReasonCode::kWorkersQuarantined, "WORKERS_QUARANTINED", 
     "Find out what fails there (muster failures), then muster worker resume NAME. One that failed is tried again by itself."},
    {ReasonCode::kWorkersRefuse, "WORKERS_REFUSE", "Free what the worker is short of; it then takes work by itself."},
    {ReasonCode::kNoWorkers, "NO_WORKERS", "Start a worker: muster-worker --master HOST:PORT."},
    {ReasonCode::kNoExecutor, "NO_EXECUTOR", "Configure the executor on a worker, or ask for another with --executor."},
    {ReasonCode::kExecutorUnhealthy, "EXECUTOR_UNHEALTHY",
     "Mend what its plugin says; the worker offers it again by itself."},
    {ReasonCode::kNoWorkerHasNeed, "NO_WORKER_HAS_NEED", "Start a worker with that label, or submit without that --need."},
    {ReasonCode::kNoWorkerHasAll, "NO_WORKER_HAS_ALL", "Start a worker that has all of it, or ask for less."},
    {ReasonCode::kNoWorkerEverFits, "NO_WORKER_EVER_FITS", "Ask for less, or start a larger worker."},
    {ReasonCode::kPausedAfterRefusal, "PAUSED_AFTER_REFUSAL",
     "Nothing if it passes; muster get shows why workers refused it."},
    {ReasonCode::kKeepsApart, "KEEPS_APART", "Wait, or add a worker: it runs beside no other task that workers died of."},
    {ReasonCode::kMasterStopping, "MASTER_STOPPING", "Start the master again."},
    {ReasonCode::kStartTime, "START_TIME", "Wait, or cancel it and submit it without --at and --delay."},
    {ReasonCode::kRetryLater, "RETRY_LATER", "Wait, or cancel it; muster logs shows how it failed."},
    {ReasonCode::kBeyondRetryBudget, "BEYOND_RETRY_BUDGET",
     "Find out why so much fails: muster failures. Retries go on by themselves at a bounded rate."},
    {ReasonCode::kRerunsAfterLoss, "RERUNS_AFTER_LOSS", "Wait: until then the lost worker might still run it."},
    {ReasonCode::kStarting, "STARTING", ""},
    {ReasonCode::kSentAhead, "SENT_AHEAD", ""},
    {ReasonCode::kRunning, "RUNNING", ""},
    {ReasonCode::kWorkerOutOfTouch, "WORKER_OUT_OF_TOUCH",
     "Look at the worker and the network. The command may run on; its mode of loss decides when the worker is lost."},
    {ReasonCode::kCancelRequested, "CANCEL_REQUESTED", ""},
    {ReasonCode::kUnknownWorkerLost, "UNKNOWN_WORKER_LOST",
     "Bring the worker back, or cancel it: then it ends LOST, and you decide whether to run it again."},
    {ReasonCode::kEnded, "ENDED", ""},
    {ReasonCode::kQueuePaused, "QUEUE_PAUSED", "Wait, or muster queue resume NAME."},
    {ReasonCode::kQueueAtLimit, "QUEUE_AT_LIMIT", "Wait, or raise the limit: muster queue set NAME --max-running N."},
    {ReasonCode::kQueueRate, "QUEUE_RATE", "Wait, or raise the rate: muster queue set NAME --rate N/s."},
    {ReasonCode::kKeyLimit, "KEY_LIMIT", "Wait, or submit with a higher --limit or another --limit-key."},
    {ReasonCode::kKeyOrder, "KEY_ORDER", "Wait, or cancel what is before it: with --limit 1 each runs to its end, retries too."},
    {ReasonCode::kNoWorkerWithoutAvoided, "NO_WORKER_WITHOUT_AVOIDED",
     "Start a worker without that label, or submit without that --avoid."},
    {ReasonCode::kValidating, "VALIDATING", ""},
    {ReasonCode::kRoomIsHeld, "ROOM_IS_HELD", "Wait: it starts when enough of what runs there has ended."},
    {ReasonCode::kWorkersHeld, "WORKERS_HELD", "Wait, or add workers."},
    {ReasonCode::kClusterLacks, "CLUSTER_LACKS", "Wait, or raise the amount in the master's configuration (resources)."},
    {ReasonCode::kClusterNeverHas, "CLUSTER_NEVER_HAS",
     "Ask for less, or raise the amount in the master's configuration (resources)."},
    {ReasonCode::kNoWorkerValidates, "NO_WORKER_VALIDATES", "Bring the workers to this version, or submit without a validation."},
    {ReasonCode::kDependency, "DEPENDENCY",
     "Wait, look at what it waits for (muster explain ID), or cancel it and submit it without --after."},
    {ReasonCode::kWorkflow, "WORKFLOW", "Wait, or run it with a higher max_parallel (workflows.max_running for those that wait for their turn)."},
    {ReasonCode::kNoWorkerIsolates, "NO_WORKER_ISOLATES",
     "Start a worker that can (muster worker get says why one cannot), or ask for less with --isolation."},
};

}  // namespace

std::span<const ReasonRow> Reasons() { return kReasons; }

const ReasonRow& ReasonRowOf(ReasonCode code) {
  const size_t index = static_cast<size_t>(code) - 1;
  MUSTER_CHECK(index < std::size(kReasons) && kReasons[index].code == code);
  return kReasons[index];
}

}  // namespace muster::core
