// Starts a command through muster-isolate, in namespaces of its own. The main process is then the program's keeper, which
// ends as the command does.
//
// Thread rule: as StartChild, whose stack and rules these are; waits until the command's own exec, some milliseconds.
// Errors: as StartChild, with words when the step is the program's. The command's own exec fails as kExec.
#pragma once

#include <string>

#include "worker/plugins/command/child.h"
#include "worker/plugins/isolate/isolate_plan.h"

namespace muster::command {

// `plan` has streams, cgroups and limits; what is to run, and as whom, comes from `isolated`.
ChildOutcome StartIsolated(const std::string& program, const isolate::Plan& isolated, ChildPlan plan, const ChildStack& stack,
                           std::string* problem);

}  // namespace muster::command
