// muster failures: what failed lately, by cause, and how to run it again.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr int kMostInACommand = 10;  // ids
constexpr int kNamedWorkers = 3;

struct FailuresFlags {
  std::optional<absl::Duration> since;
  std::string cause;
  OutputFlags output;
};

// "412 failures, 2 causes, 409 on w7": the worker only where most of it is.
std::string Headline(const v1::ListFailuresResponse& response) {
  std::map<std::string, int64_t> on;
  for (const v1::FailureGroup& group : response.groups()) {
    for (const v1::WorkerFailures& worker : group.workers()) on[worker.worker()] += worker.count();
  }
  std::string text = absl::StrCat(response.count(), response.count() == 1 ? " failure, " : " failures, ",
                                  response.groups_size(), response.groups_size() == 1 ? " cause" : " causes");
  const auto most = std::max_element(on.begin(), on.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != on.end() && most->second * 2 > response.count()) absl::StrAppend(&text, ", ", most->second, " on ", most->first);
  return text;
}

std::string GroupEndText(const v1::FailureGroup& group) {
  const std::string reason = EndReasonName(group.end_reason());
  return group.code() == 0 ? reason : absl::StrCat(reason, " ", group.code());
}

std::string WorkersText(const v1::FailureGroup& group) {
  std::vector<std::string> parts;
  for (const v1::WorkerFailures& worker : group.workers()) {
    if (static_cast<int>(parts.size()) == kNamedWorkers) {
      parts.push_back(absl::StrCat("and ", group.workers_size() - kNamedWorkers, " more"));
      break;
    }
    parts.push_back(absl::StrCat(worker.worker(), " ", worker.count()));
  }
  return absl::StrJoin(parts, ", ");
}

std::string RetryText(const v1::FailureGroup& group, const std::string& since) {
  if (group.retry_count() == 0) return "nothing: they were tried again, and did not end with it";
  if (group.retry_task_ids_size() <= kMostInACommand && group.retry_count() == group.retry_task_ids_size()) {
    return absl::StrCat("muster retry ", absl::StrJoin(group.retry_task_ids(), " "));
  }
  return absl::StrCat("muster failures", since, " --cause ", group.cause(), " -q | xargs -n 1000 muster retry -y");
}

void PrintGroups(Session& session, const v1::ListFailuresResponse& response, const std::string& since) {
  Print(absl::StrCat(Headline(response), "\n"));
  for (const v1::FailureGroup& group : response.groups()) {
    const absl::Duration age = absl::Now() - convert::FromProto(group.last_time());
    Print(absl::StrCat("\n", group.cause(), "  ", group.count(), "x  ", GroupEndText(group), "  on ", WorkersText(group),
                       "  last ", AgeText(std::max(age, absl::ZeroDuration())), " ago\n"));
    Print(absl::StrCat("  ", OneLine(group.text(), kAnyWidth), "\n"));
    if (group.example() != group.text()) Print(absl::StrCat("  as in     ", OneLine(group.example(), kAnyWidth), "\n"));
    Print(absl::StrCat("  tasks     ", absl::StrJoin(group.example_task_ids(), " "),
                       group.count() > group.example_task_ids_size() ? " ..." : "", "\n"));
    Print(absl::StrCat("  to retry  ", RetryText(group, since), "\n"));
  }
  if (response.truncated()) session.terminal().Say("there are more, older ones; a shorter --since shows all of its time");
}

absl::StatusOr<int> Failures(Session& session, const FailuresFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::ListFailuresRequest request;
  if (flags.since) convert::ToProto(*flags.since, request.mutable_since());
  request.set_cause(flags.cause);
  MUSTER_ASSIGN_OR_RETURN(const v1::ListFailuresResponse response, client->ListFailures(request));
  const Format format = flags.output.Get();
  if (IsData(format)) {
    PrintMessage(format, response);
  } else if (format == Format::kName) {
    for (const v1::FailureGroup& group : response.groups()) {
      for (const std::string& id : group.retry_task_ids()) Print(absl::StrCat(id, "\n"));
    }
  } else {
    const std::string since = flags.since ? absl::StrCat(" --since ", absl::FormatDuration(*flags.since)) : std::string();
    PrintGroups(session, response, since);
  }
  return 0;
}

}  // namespace

Action SetUpFailures(Flags& flags) {
  auto values = std::make_shared<FailuresFlags>();
  flags.Usage("failures [flags]");
  flags.Time("--since", &values->since, "D", "Attempts that failed within this time; default 1h.");
  flags.Text("--cause", &values->cause, "C", "Only this one, by the name that stands before it.");
  values->output.Declare(flags);
  flags.Examples(
      "  muster failures --since 10m\n"
      "  muster failures --cause 5c0ffee1 -q | xargs -n 1000 muster retry -y      run again what ended with it");
  return [values](Session& session) { return Failures(session, *values); };
}

}  // namespace muster::cli
