#include "cli/schedule_flags.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/errors.h"
#include "cli/workflow_input.h"
#include "common/base/status_macros.h"
#include "google/protobuf/util/message_differencer.h"

namespace muster::cli {
namespace {

constexpr uint32_t kMostMissed = 1000;
constexpr size_t kMostFlowBytes = size_t{3} << 20;  // a call of message.max holds it

// "skip", "once", "all", "all:24".
absl::Status SetMissed(const std::string& text, v1::ScheduleSpec* spec) {
  if (text.empty()) return absl::OkStatus();
  if (text == "skip") {
    spec->set_missed_runs(v1::MISSED_RUNS_SKIP);
  } else if (text == "once") {
    spec->set_missed_runs(v1::MISSED_RUNS_RUN_ONCE);
  } else if (text == "all" || absl::StartsWith(text, "all:")) {
    spec->set_missed_runs(v1::MISSED_RUNS_RUN_ALL);
    uint32_t limit = 0;
    if (text == "all") return absl::OkStatus();
    if (!absl::SimpleAtoi(text.substr(4), &limit) || limit < 1 || limit > kMostMissed) {
      return UsageError(absl::StrCat("--missed: '", text, "' is not all:N, with N from 1 to ", kMostMissed));
    }
    spec->set_missed_limit(limit);
  } else {
    return UsageError(absl::StrCat("--missed: '", text, "' is not one of skip, once, all, all:N"));
  }
  return absl::OkStatus();
}

void SetOverlap(const std::string& text, v1::ScheduleSpec* spec) {
  if (text == "allow") spec->set_overlap(v1::RUN_OVERLAP_ALLOW);
  if (text == "forbid") spec->set_overlap(v1::RUN_OVERLAP_FORBID);
  if (text == "replace") spec->set_overlap(v1::RUN_OVERLAP_REPLACE);
}

// A shell has made files of the line's asterisks.
bool LooksExpanded(const std::vector<std::string>& times) {
  return times.size() > 5 && times[0] != "at" && times[0] != "every";
}

}  // namespace

void ScheduleFlags::Declare(Flags& flags) {
  flags.Usage("schedule add [flags] NAME TIMES -- ARGV...  |  schedule add [flags] NAME TIMES --flow FILE|DIR");
  flags.Positional("NAME", &name, "The schedule: unique, of [A-Za-z0-9._-].");
  flags.Positionals("TIMES", &times, "'30 2 * * MON-FRI', 'every 1h30m', 'at 2026-12-24 18:00', or 'on EVENT'.", 1);
  flags.TakesCommand(&argv, /*bare=*/false);
  flags.Word("--zone", &zone, "ZONE", "Whose clock the times are read on: Europe/Berlin (default: UTC).");
  flags.Word("--missed", &missed, "skip|once|all[:N]",
             "Due times that nobody was there for: none of them, the newest, the newest N (default: once).");
  flags.Choice("--overlap", &overlap, {"allow", "forbid", "replace"},
               "While the run before goes on: start both, skip the new one, end the old one (default: allow).");
  flags.Word("--flow", &flow, "FILE|DIR", "Run this workflow, as it is now, in place of a command.");
  flags.Texts("--set", &sets, "NAME=VALUE", "A parameter's value, of the workflow; an event's own goes before.");
  task.Declare(flags);
  flags.Examples(
      "  muster schedule add backup '30 2 * * *' --zone Europe/Berlin --overlap forbid -- ./backup.sh\n"
      "  muster schedule add poll 'every 5m' --missed skip -- curl -fsS https://example.org/health\n"
      "  muster schedule add launch 'at 2026-12-24 18:00' --zone Europe/Berlin -- ./launch.sh\n"
      "  muster schedule add nightly '0 3 * * *' --overlap forbid --flow nightly.yaml --set city=Bonn\n"
      "  muster schedule add deploy 'on push' -- ./deploy.sh '{{ branch }}'      see muster event send --help");
}

// Flags of a task say nothing to a workflow.
absl::Status ScheduleFlags::CheckUse(absl::Time now) const {
  if (!task.at.empty() || task.delay) {
    return UsageError("--at and --delay are for single tasks; a schedule's TIMES say when, as in 'at 2026-12-24 18:00'");
  }
  if (!task.after.empty()) return UsageError("--after is for single tasks; each run of a schedule starts when it is due");
  if (!task.request_id.empty()) return UsageError("--request-id is for single tasks; the same schedule added again is the same schedule");
  if (LooksExpanded(times)) return UsageError("TIMES has too many words; put a cron line into quotes, as in '30 2 * * *'");
  if (flow.empty()) {
    if (sets.empty()) return absl::OkStatus();
    return UsageError("--set is for a workflow's parameters; a command is given as it is to run, or name a workflow with --flow");
  }
  if (!argv.empty()) return UsageError("there are both --flow and a command; a schedule runs one of them");
  MUSTER_ASSIGN_OR_RETURN(const v1::TaskSpec given, task.Build({"true"}, now));
  MUSTER_ASSIGN_OR_RETURN(const v1::TaskSpec plain, TaskFlags().Build({"true"}, now));
  if (google::protobuf::util::MessageDifferencer::Equals(given, plain) && task.file.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat("flags that describe a task are for commands; what they say of the workflow's tasks goes into ", flow));
}

absl::StatusOr<v1::ScheduledWorkflow> ScheduleFlags::ReadFlow() const {
  v1::ScheduledWorkflow workflow;
  MUSTER_ASSIGN_OR_RETURN(*workflow.mutable_spec(), ReadWorkflow(flow));
  SetOwner(Owner(), workflow.mutable_spec());
  MUSTER_RETURN_IF_ERROR(ReadParameters(sets, workflow.mutable_parameters()));
  if (workflow.ByteSizeLong() <= kMostFlowBytes) return workflow;
  return UsageError(absl::StrCat(flow, ": larger than ", kMostFlowBytes >> 20, " MiB, which is the most of a schedule's workflow; "
                                 "let a command of the schedule run it: -- muster flow run ", flow));
}

absl::StatusOr<v1::AddScheduleRequest> ScheduleFlags::Build(absl::Time now) const {
  MUSTER_RETURN_IF_ERROR(CheckUse(now));
  v1::AddScheduleRequest request;
  request.set_name(name);
  v1::ScheduleSpec* const spec = request.mutable_spec();
  spec->set_times(absl::StrJoin(times, " "));
  spec->set_time_zone(zone);
  MUSTER_RETURN_IF_ERROR(SetMissed(missed, spec));
  SetOverlap(overlap, spec);
  if (flow.empty()) {
    MUSTER_ASSIGN_OR_RETURN(*spec->mutable_task(), task.BuildWhole(argv, now));
  } else {
    MUSTER_ASSIGN_OR_RETURN(*spec->mutable_workflow(), ReadFlow());
  }
  return request;
}

}  // namespace muster::cli
