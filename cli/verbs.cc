#include "cli/verbs.h"

#include "cli/command_line.h"

namespace muster::cli {

void AddVerbs(Flags& root, std::function<VerbOutline()> outline) {
  root.Verb("run", "Run one command, stream its output, exit with its status.", SetUpRun);
  root.Verb("submit", "Submit a task, or a stream of them, and print the ids.", SetUpSubmit);
  root.Verb("map", "One task for each argument, in the manner of GNU parallel.", SetUpMap);
  root.Verb("flow", "Run tasks that need one another, as one workflow.", SetUpFlow);
  root.Verb("attach", "Take up the output of a task that was left with Ctrl-C.", SetUpAttach);
  root.Verb("wait", "Wait until tasks have ended.", SetUpWait);
  root.Verb("logs", "Show the output of tasks.", SetUpLogs);
  root.Verb("ps", "List tasks.", SetUpPs);
  root.Verb("get", "Show one task whole.", SetUpGet);
  root.Verb("explain", "Why tasks are where they are, and what would change it.", SetUpExplain);
  root.Verb("cancel", "Cancel tasks.", SetUpCancel);
  root.Verb("retry", "Run finished tasks again, as new ones.", SetUpRetry);
  root.Verb("failures", "Show what failed lately, by cause.", SetUpFailures);
  root.Verb("stats", "Show what was learned of how long commands run.", SetUpStats);
  root.Verb("purge", "Remove finished tasks before their retention is over.", SetUpPurge);
  root.Verb("workers", "List workers.", SetUpWorkers);
  root.Verb("worker", "Look at one worker, or steer it.", SetUpWorker);
  root.Verb("queues", "List queues.", SetUpQueues);
  root.Verb("queue", "Look at one queue, or steer it.", SetUpQueue);
  root.Verb("schedule", "Have commands and workflows started by the clock, or by events.", SetUpSchedule);
  root.Verb("event", "Send events, which start what waits for them.", SetUpEvent);
  root.Verb("resources", "List what the cluster has as a whole, such as licences.", SetUpResources);
  root.Verb("placement", "How workers are chosen for tasks, and how another way would differ.", SetUpPlacement);
  root.Verb("top", "A live screen of workers, queues, rates and running tasks.", SetUpTop);
  root.Verb("log", "Show the activity log.", SetUpLog);
  root.Verb("simulate", "What if the work of a log had met other workers, or another balancer.", SetUpSimulate);
  root.Verb("pki", "A small certificate authority: TLS for a cluster that has none.", SetUpPki);
  root.Verb("shutdown", "Stop the cluster in order.", SetUpShutdown);
  root.Verb("dev", "A whole cluster on this machine.", SetUpDev);
  root.Verb("version", "Show the versions of client and master.", SetUpVersion);
  root.Verb("completion", "Print completion for a shell.",
            [outline](Flags& flags) { return SetUpCompletion(flags, outline); });
}

}  // namespace muster::cli
