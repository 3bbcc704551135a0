// What is said of a task before it is submitted, and of one that was accepted though nothing can run it.
// Thread rule: the main thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/output.h"
#include "cli/session.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {

// Prints the master's explanation of a task that is not submitted. Errors: what a submit of it would meet.
absl::StatusOr<int> PrintDryRun(Session& session, const v1::TaskSpec& task, Format format);

// On stderr, when there are any: the task or batch waits for a worker that is not there.
template <typename Warnings>
void WarnOfImpossible(Session& session, const std::string& id, const Warnings& warnings) {
  if (warnings.empty()) return;
  session.terminal().Say(absl::StrCat(id, " waits for a worker that can take it: ", absl::StrJoin(warnings, "; "),
                                      "; `muster explain ", id, "` says more"));
}

}  // namespace muster::cli
