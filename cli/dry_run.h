// What is said of a task before it is submitted, and of one that was accepted though nothing can run it.
// Thread rule: the main thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

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

// The same for a stream of calls: each cause is told once, and at the end how many calls met one again.
class ImpossibleCauses {
 public:
  explicit ImpossibleCauses(Session* session) : session_(*session) {}

  template <typename Warnings>
  void Note(const std::string& id, int64_t tasks, const Warnings& warnings) {
    if (warnings.empty()) return;
    std::vector<std::string> fresh;
    for (const std::string& warning : warnings) {
      if (told_.size() < kMostTold && told_.insert(warning).second) fresh.push_back(warning);
    }
    if (fresh.empty()) ++calls_again_, tasks_again_ += tasks;
    WarnOfImpossible(session_, id, fresh);
  }
  void Finish() const {
    if (calls_again_ == 0) return;
    session_.terminal().Say(absl::StrCat("the same is true of ", calls_again_, " more ", calls_again_ == 1 ? "call" : "calls",
                                         ", with up to ", tasks_again_, " tasks: `muster ps` shows what waits"));
  }

 private:
  static constexpr size_t kMostTold = 100;
  Session& session_;
  std::set<std::string> told_;
  int64_t calls_again_ = 0;
  int64_t tasks_again_ = 0;
};

}  // namespace muster::cli
