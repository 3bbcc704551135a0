// Every verb, one file each: it declares its flags and returns what to do.
// Thread rule: the main thread.
#pragma once

#include <functional>
#include <string>

#include "cli/flags.h"

namespace muster::cli {

struct VerbOutline;

std::string VersionText();

// `outline` is asked when completion is printed.
void AddVerbs(Flags& root, std::function<VerbOutline()> outline);

Action SetUpRun(Flags& flags);
Action SetUpSubmit(Flags& flags);
Action SetUpFlow(Flags& flags);
Action SetUpMap(Flags& flags);
Action SetUpAttach(Flags& flags);
Action SetUpWait(Flags& flags);
Action SetUpLogs(Flags& flags);
Action SetUpPs(Flags& flags);
Action SetUpGet(Flags& flags);
Action SetUpExplain(Flags& flags);
Action SetUpCancel(Flags& flags);
Action SetUpRetry(Flags& flags);
Action SetUpFailures(Flags& flags);
Action SetUpStats(Flags& flags);
Action SetUpPurge(Flags& flags);
Action SetUpWorkers(Flags& flags);
Action SetUpWorker(Flags& flags);
Action SetUpPlacement(Flags& flags);
Action SetUpQueues(Flags& flags);
Action SetUpQueue(Flags& flags);
Action SetUpSchedule(Flags& flags);
Action SetUpEvent(Flags& flags);
Action SetUpResources(Flags& flags);
Action SetUpTop(Flags& flags);
Action SetUpLog(Flags& flags);
Action SetUpSimulate(Flags& flags);
Action SetUpShutdown(Flags& flags);
Action SetUpPki(Flags& flags);
Action SetUpDev(Flags& flags);
Action SetUpVersion(Flags& flags);
Action SetUpCompletion(Flags& flags, std::function<VerbOutline()> outline);

}  // namespace muster::cli
