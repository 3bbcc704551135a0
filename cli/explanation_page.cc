#include "cli/explanation_page.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/page.h"
#include "cli/text.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

// "7 (QUEUED for 12s)", "not submitted (QUEUED)"
std::string SubjectText(const v1::Explanation& explanation, absl::Time now) {
  std::string text = absl::StrCat(explanation.task_id().empty() ? "not submitted" : explanation.task_id(), " (",
                                  explanation.task_id().empty() ? "would be " : "", StateName(explanation.state()));
  if (explanation.has_since() && !explanation.task_id().empty()) {
    const absl::Duration since = std::max(absl::ZeroDuration(), now - convert::FromProto(explanation.since()));
    absl::StrAppend(&text, IsTerminal(explanation.state()) ? absl::StrCat(", ", AgeText(since), " ago")
                                                           : absl::StrCat(" for ", AgeText(since)));
  }
  return absl::StrCat(text, ")");
}

// "3 has no label gpu: w1, w2, w3"; "2 has no slot free: w1 (has none of its 2 slots free), ..."
std::string GroupText(const v1::WorkerGroup& group) {
  std::vector<std::string> examples;
  for (const v1::WorkerMiss& miss : group.examples()) {
    examples.push_back(miss.why() == group.cause() ? miss.worker() : absl::StrCat(miss.worker(), " (", miss.why(), ")"));
  }
  if (group.worker_count() > group.examples_size()) examples.push_back("...");
  return absl::StrCat(group.worker_count(), group.worker_count() == 1 ? " worker " : " workers, each ", group.cause(), ": ",
                      absl::StrJoin(examples, ", "));
}

std::string PositionText(const v1::QueuePosition& position) {
  const std::string least = position.more_ahead() ? "at least " : "";
  std::string text = absl::StrCat(position.queue(), ": ", least, position.ahead_count() + 1, " of ", position.queued_count());
  if (position.ahead_count() == 0) return text;
  absl::StrAppend(&text, "; ", least, position.ahead_count(), " before it, ", position.ahead_by_priority_count(),
                  " by higher priority, ", position.competing_count(), " for the same workers");
  return text;
}

}  // namespace

std::string ReasonName(v1::ReasonCode code) {
  const std::string name = v1::ReasonCode_Name(code);
  constexpr size_t kPrefix = sizeof("REASON_CODE_") - 1;
  // A newer master may know more.
  return name.size() > kPrefix ? name.substr(kPrefix) : absl::StrCat("code ", static_cast<int>(code));
}

std::string ExplanationPage(const v1::Explanation& explanation, absl::Time now) {
  Page page;
  page.Line("Task", SubjectText(explanation, now));
  page.Line("Reason", ReasonName(explanation.code()));
  page.Line("", explanation.sentence());
  page.Line("To do", explanation.advice());
  page.Line("Worker", explanation.worker());
  if (explanation.has_held_until()) page.Line("Held until", TimeText(convert::FromProto(explanation.held_until())));
  std::string title = "Workers";
  for (const v1::WorkerGroup& group : explanation.worker_groups()) {
    page.Line(title, GroupText(group));
    title.clear();
  }
  if (explanation.has_nearest_worker()) {
    const v1::NearestWorker& nearest = explanation.nearest_worker();
    page.Line("Nearest", absl::StrCat(nearest.worker(), ": ", absl::StrJoin(nearest.misses(), "; ")));
  }
  if (!explanation.would_start_now().empty()) page.Line("Would start", absl::StrCat("now, ", explanation.would_start_now()));
  if (explanation.has_position()) page.Line("Queue", PositionText(explanation.position()));
  if (explanation.has_estimate()) {
    page.Line("Estimate", absl::StrCat("starts in about ", DurationText(convert::FromProto(explanation.estimate().p50())),
                                       "; nine times in ten within ", DurationText(convert::FromProto(explanation.estimate().p90()))));
  }
  return page.Take();
}

}  // namespace muster::cli
