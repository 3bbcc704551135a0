#include "cli/schedule_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "cli/page.h"
#include "cli/text.h"
#include "common/config/time_zone.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

absl::Time TimeOf(const google::protobuf::Timestamp& from) { return convert::FromProto(from); }

// "2026-11-29T02:30:00+01:00"; in UTC where this machine does not know the zone.
std::string OnItsClock(const google::protobuf::Timestamp& time, const v1::Schedule& schedule) {
  const std::string& name = schedule.spec().time_zone();
  const absl::TimeZone zone = name.empty() ? absl::UTCTimeZone() : config::LoadZone(name).value_or(absl::UTCTimeZone());
  return absl::FormatTime("%Y-%m-%dT%H:%M:%S%Ez", TimeOf(time), zone);
}

std::string DistanceText(absl::Time time, absl::Time now) {
  return time > now ? absl::StrCat("in ", AgeText(time - now)) : absl::StrCat(AgeText(now - time), " ago");
}

std::string TimesWords(const v1::ScheduleSpec& spec) {
  return absl::StrCat(spec.times(), spec.time_zone().empty() ? "" : absl::StrCat(", ", spec.time_zone()));
}

std::string MissedText(const v1::ScheduleSpec& spec) {
  switch (spec.missed_runs()) {
    case v1::MISSED_RUNS_SKIP: return "skip";
    case v1::MISSED_RUNS_RUN_ALL: return absl::StrCat("all:", spec.missed_limit());
    case v1::MISSED_RUNS_UNSPECIFIED: return "";  // of an event
    default: return "once";
  }
}

std::string OverlapText(const v1::ScheduleSpec& spec) {
  switch (spec.overlap()) {
    case v1::RUN_OVERLAP_FORBID: return "forbid";
    case v1::RUN_OVERLAP_REPLACE: return "replace";
    default: return "allow";
  }
}

// "sh -c ..."; "nightly, 12 tasks".
std::string ScheduledText(const v1::ScheduleSpec& spec) {
  if (!spec.has_workflow()) return SpecCommandText(spec.task());
  const v1::WorkflowSpec& workflow = spec.workflow().spec();
  uint64_t tasks = 0;
  for (const v1::WorkflowNode& node : workflow.nodes()) tasks += static_cast<uint64_t>(std::max(1, node.rows_size()));
  return absl::StrCat(workflow.name(), workflow.name().empty() ? "" : ", ", tasks, tasks == 1 ? " task" : " tasks");
}

// The newest that there is; null: nothing was due yet.
const v1::ScheduledRun* LastRun(const v1::Schedule& schedule) {
  if (schedule.running_size() > 0) return &schedule.running(schedule.running_size() - 1);
  return schedule.recent_runs_size() > 0 ? &schedule.recent_runs(0) : nullptr;
}

// "2026-11-28T02:30:00+01:00  SUCCEEDED  7F  4m12s"
std::string RunLine(const v1::ScheduledRun& run, const v1::Schedule& schedule, absl::Time now) {
  std::string line = OnItsClock(run.due_time(), schedule);
  if (run.has_last_due_time()) absl::StrAppend(&line, " to ", OnItsClock(run.last_due_time(), schedule));
  absl::StrAppend(&line, "  ", RunResultName(run));
  if (!RunId(run).empty()) absl::StrAppend(&line, "  ", RunId(run));
  if (run.has_start_time()) {
    const absl::Time end = run.has_end_time() ? TimeOf(run.end_time()) : now;
    absl::StrAppend(&line, "  ", DurationText(std::max(end - TimeOf(run.start_time()), absl::ZeroDuration())));
  }
  if (run.by_hand()) absl::StrAppend(&line, "  by hand");
  if (!run.event_id().empty()) absl::StrAppend(&line, "  event ", run.event_id());
  if (!run.reason().empty()) absl::StrAppend(&line, "  ", run.reason());
  return line;
}

}  // namespace

std::string ScheduleStateName(v1::ScheduleState state) {
  return std::string(absl::StripPrefix(v1::ScheduleState_Name(state), "SCHEDULE_STATE_"));
}

const std::string& RunId(const v1::ScheduledRun& run) {
  return run.workflow_id().empty() ? run.task_id() : run.workflow_id();
}

std::string RunResultName(const v1::ScheduledRun& run) {
  if (run.workflow_state() != v1::WORKFLOW_STATE_UNSPECIFIED) {
    return std::string(absl::StripPrefix(v1::WorkflowState_Name(run.workflow_state()), "WORKFLOW_STATE_"));
  }
  if (run.result() == v1::SCHEDULED_RUN_RESULT_ENDED && run.task_state() != v1::TASK_STATE_UNSPECIFIED) {
    return StateName(run.task_state());
  }
  return std::string(absl::StripPrefix(v1::ScheduledRunResult_Name(run.result()), "SCHEDULED_RUN_RESULT_"));
}

std::vector<std::string> ScheduleHeader(bool wide) {
  std::vector<std::string> header = {"NAME", "TIMES", "ZONE", "STATE", "NEXT", "LAST", "DUE", "RUN"};
  if (wide) header.insert(header.end(), {"MISSED", "OVERLAP", "OWNER", "COMMAND"});
  return header;
}

std::vector<std::string> ScheduleRow(const v1::Schedule& schedule, absl::Time now, bool wide) {
  const v1::ScheduledRun* const last = LastRun(schedule);
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  std::vector<std::string> row = {
      schedule.name(),
      schedule.spec().times(),
      or_dash(schedule.spec().time_zone()),
      ScheduleStateName(schedule.state()),
      schedule.next_times().empty() ? "-" : DistanceText(TimeOf(schedule.next_times(0)), now),
      last == nullptr ? "-" : RunResultName(*last),
      last == nullptr ? "-" : DistanceText(TimeOf(last->has_last_due_time() ? last->last_due_time() : last->due_time()), now),
      last == nullptr ? "-" : or_dash(RunId(*last))};
  if (wide) {
    row.insert(row.end(), {or_dash(MissedText(schedule.spec())), OverlapText(schedule.spec()), schedule.owner(),
                           ScheduledText(schedule.spec())});
  }
  return row;
}

Colour ScheduleColour(const v1::Schedule& schedule) {
  const v1::ScheduledRun* const last = LastRun(schedule);
  if (last == nullptr) return Colour::kPlain;
  if (last->result() == v1::SCHEDULED_RUN_RESULT_RUNNING) return Colour::kBlue;
  if (last->result() == v1::SCHEDULED_RUN_RESULT_SKIPPED) return Colour::kYellow;
  const bool well = last->task_state() == v1::TASK_STATE_SUCCEEDED || last->workflow_state() == v1::WORKFLOW_STATE_SUCCEEDED;
  return well ? Colour::kGreen : Colour::kRed;
}

std::string SchedulePage(const v1::Schedule& schedule, absl::Time now) {
  Page page;
  page.Line("Schedule", schedule.name());
  page.Line("State", ScheduleStateName(schedule.state()));
  page.Line("Reason", schedule.reason());
  page.Line("Times", TimesWords(schedule.spec()));
  page.Line("Missed", MissedText(schedule.spec()));
  page.Line("Overlap", OverlapText(schedule.spec()));
  page.Line(schedule.spec().has_workflow() ? "Workflow" : "Command", ScheduledText(schedule.spec()));
  page.Line("Queue", schedule.spec().task().queue());
  page.Line("Owner", schedule.owner());
  page.Line("Added", OnItsClock(schedule.create_time(), schedule));
  std::string lines;
  for (const auto& next : schedule.next_times()) {
    absl::StrAppend(&lines, OnItsClock(next, schedule), "  ", DistanceText(TimeOf(next), now), "\n");
  }
  page.Line("Next", lines);
  lines.clear();
  for (const auto& run : schedule.running()) absl::StrAppend(&lines, RunLine(run, schedule, now), "\n");
  page.Line("Running", lines);
  lines.clear();
  for (const auto& due : schedule.waiting_times()) absl::StrAppend(&lines, OnItsClock(due, schedule), "\n");
  page.Line("Waiting", lines);
  lines.clear();
  for (const auto& run : schedule.recent_runs()) absl::StrAppend(&lines, RunLine(run, schedule, now), "\n");
  page.Line("Last", lines);
  return page.Take();
}

std::string ScheduleSummary(const v1::Schedule& schedule, absl::Time now) {
  std::string text = absl::StrCat("schedule ", schedule.name(), " is ", absl::AsciiStrToLower(ScheduleStateName(schedule.state())), " (",
                                  TimesWords(schedule.spec()), ")");
  if (!schedule.next_times().empty() && schedule.state() == v1::SCHEDULE_STATE_ACTIVE) {
    const auto& next = schedule.next_times(0);
    absl::StrAppend(&text, ", next ", OnItsClock(next, schedule), ", ", DistanceText(TimeOf(next), now));
  }
  return text;
}

}  // namespace muster::cli
