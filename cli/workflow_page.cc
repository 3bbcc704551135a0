#include "cli/workflow_page.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/fold_names.h"
#include "cli/graph_lanes.h"
#include "cli/output.h"
#include "cli/task_table.h"
#include "cli/text.h"
#include "cli/workflow_rows.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr int kBarWidth = 20;
constexpr size_t kWidestName = 40;
constexpr size_t kWidestWords = 200;  // of what a line waits for; the terminal's edge cuts it sooner

// Tasks by what a person asks: how many are through, and how.
struct Tally {
  int64_t done = 0, failed = 0, running = 0, left = 0, skipped = 0, cancelled = 0;

  int64_t total() const { return done + failed + running + left + skipped + cancelled; }
  int64_t ended() const { return total() - running - left; }
};

bool IsFailure(v1::TaskState state) {
  return state == v1::TASK_STATE_FAILED || state == v1::TASK_STATE_TIMED_OUT || state == v1::TASK_STATE_LOST ||
         state == v1::TASK_STATE_POISONED;
}

bool IsRunning(v1::TaskState state) {
  return state == v1::TASK_STATE_RUNNING || state == v1::TASK_STATE_VALIDATING || state == v1::TASK_STATE_UNKNOWN;
}

template <typename Counts>
Tally TallyOf(const Counts& counts, int64_t skipped) {
  Tally tally;
  for (const v1::StateCount& each : counts) {
    const int64_t count = std::max<int64_t>(0, each.count());
    if (each.state() == v1::TASK_STATE_SUCCEEDED) tally.done += count;
    else if (each.state() == v1::TASK_STATE_CANCELLED) tally.cancelled += count;
    else if (IsFailure(each.state())) tally.failed += count;
    else (IsRunning(each.state()) ? tally.running : tally.left) += count;
  }
  tally.skipped = std::clamp<int64_t>(skipped, 0, tally.cancelled);
  tally.cancelled -= tally.skipped;
  return tally;
}

Colour ColourOf(const Tally& tally) {
  if (tally.failed > 0) return Colour::kRed;
  if (tally.running > 0) return Colour::kBlue;
  if (tally.left > 0) return Colour::kPlain;
  if (tally.cancelled + tally.skipped > 0) return Colour::kYellow;
  return tally.done > 0 ? Colour::kGreen : Colour::kPlain;
}

// Each part ends where the sum up to it ends, so that the bar is always whole.
StyledLine Bar(const Tally& tally) {
  const std::pair<int64_t, Span> parts[] = {{tally.done, {"█", Colour::kGreen}},
                                            {tally.failed, {"▓", Colour::kRed}},
                                            {tally.skipped + tally.cancelled, {"╌", Colour::kYellow}},
                                            {tally.running, {"▒", Colour::kBlue}},
                                            {tally.left, {"░", Colour::kDim}}};
  StyledLine bar;
  double sum = 0;
  int drawn = 0;
  for (const auto& [count, span] : parts) {
    sum += static_cast<double>(count);
    const int end = static_cast<int>(std::lround(kBarWidth * sum / static_cast<double>(tally.total())));
    Span part{"", span.colour};
    for (; drawn < end; ++drawn) part.text += span.text;
    if (!part.text.empty()) bar.push_back(std::move(part));
  }
  return bar;
}

std::string TallyText(const Tally& tally) {
  std::vector<std::string> words = {absl::StrCat(tally.done, " done")};
  const auto add = [&words](int64_t count, const char* word) {
    if (count > 0) words.push_back(absl::StrCat(count, " ", word));
  };
  add(tally.running, "running");
  add(tally.failed, "failed");
  add(tally.skipped, "skipped");
  add(tally.cancelled, "cancelled");
  add(tally.left, "left");
  return absl::StrJoin(words, ", ");
}

bool IsOver(v1::WorkflowState state) { return state >= v1::WORKFLOW_STATE_SUCCEEDED; }

// "RUNNING for 2m10s", "FAILED after 4m00s, 12m ago"
std::string StateText(const v1::Workflow& workflow, absl::Time now) {
  std::string text = StateName(workflow.state());
  if (workflow.cancel_requested() && !IsOver(workflow.state())) absl::StrAppend(&text, ", being cancelled,");
  const absl::Time since = convert::FromProto(workflow.has_start_time() ? workflow.start_time() : workflow.create_time());
  if (!IsOver(workflow.state())) return absl::StrCat(text, " for ", DurationText(std::max(absl::ZeroDuration(), now - since)));
  if (!workflow.has_end_time()) return text;
  const absl::Time end = convert::FromProto(workflow.end_time());
  return absl::StrCat(text, " after ", DurationText(std::max(absl::ZeroDuration(), end - since)), ", ", AgeText(now - end), " ago");
}

StyledLine Field(const char* name, std::string value, Colour colour = Colour::kPlain) {
  return {{absl::StrFormat("%-14s ", absl::StrCat(name, ":"))}, {OneLine(value, kAnyWidth), colour}};
}

std::string RuleText(v1::FailureRule rule) {
  switch (rule) {
    case v1::FAILURE_RULE_CONTINUE: return "what does not need the failed goes on";
    case v1::FAILURE_RULE_FAIL_FAST: return "nothing new starts, and what runs is cancelled";
    default: return "nothing new starts, and what runs goes on";
  }
}

// "SUCCEEDED" when all are; "1200 done, 42 running". What was skipped is CANCELLED in the counts.
std::string RowState(const WorkflowRow& row) {
  if (row.task_count == 0) return row.skipped_count > 0 ? "SKIPPED" : "PENDING";
  const Tally tally = TallyOf(row.counts, static_cast<int64_t>(row.skipped_count));
  if (tally.skipped == tally.total()) return "SKIPPED";
  const auto is_there = [](const v1::StateCount& count) { return count.count() > 0; };
  const bool one_state = std::count_if(row.counts.begin(), row.counts.end(), is_there) == 1;
  if (!one_state || tally.skipped > 0) return TallyText(tally);
  return StateName(std::find_if(row.counts.begin(), row.counts.end(), is_there)->state());
}

std::string RowTime(const WorkflowRow& row, absl::Time now) {
  if (row.start == absl::InfiniteFuture()) return "-";
  const absl::Time end = row.is_open || row.end == absl::InfinitePast() ? now : row.end;
  return DurationText(std::max(absl::ZeroDuration(), end - row.start));
}

// What of a row is worth a word more: why it ended so, or what it still waits for; when no graph is drawn also what it needed.
Span RowNote(const std::vector<WorkflowRow>& rows, const WorkflowRow& row, bool drawn) {
  std::vector<std::string> open;
  for (size_t i = 0; i < row.needs.size(); ++i) {
    if (rows[row.needs[i]].is_open) open.push_back(row.need_words[i]);
  }
  const bool waits = row.is_open && row.start == absl::InfiniteFuture();
  if (waits && !open.empty()) return {absl::StrCat("waits for ", FoldedList(open, kFewestFolded, kWidestWords))};
  if (!row.reason.empty()) return {OneLine(row.reason, kWidestWords)};
  if (drawn || row.needs.empty()) return {};
  return {absl::StrCat("after ", FoldedList(row.need_words, kFewestFolded, kWidestWords)), Colour::kDim};
}

void Pad(std::string* text, size_t width) {
  const size_t is = DisplayWidth(*text);
  if (is < width) text->append(width - is, ' ');
}

}  // namespace

std::string StateName(v1::WorkflowState state) {
  constexpr size_t kPrefix = sizeof("WORKFLOW_STATE_") - 1;
  const std::string& name = v1::WorkflowState_Name(state);
  return name.size() > kPrefix ? name.substr(kPrefix) : absl::StrCat("state ", static_cast<int>(state));
}

Colour StateColour(v1::WorkflowState state) {
  switch (state) {
    case v1::WORKFLOW_STATE_RUNNING: return Colour::kBlue;
    case v1::WORKFLOW_STATE_SUCCEEDED: return Colour::kGreen;
    case v1::WORKFLOW_STATE_FAILED: return Colour::kRed;
    case v1::WORKFLOW_STATE_CANCELLED: return Colour::kYellow;
    default: return Colour::kPlain;
  }
}

std::vector<std::string> WorkflowListHeader(bool wide) {
  std::vector<std::string> header = {"ID", "NAME", "STATE", "DONE", "RUNNING", "FAILED", "LEFT", "AGE"};
  if (wide) header.insert(header.end(), {"OWNER", "TIME LEFT", "REASON"});
  return header;
}

std::vector<std::string> WorkflowListRow(const v1::Workflow& workflow, bool wide, absl::Time now) {
  const Tally tally = TallyOf(workflow.counts(), workflow.skipped_count());
  std::vector<std::string> row = {workflow.id(),
                                  workflow.name().empty() ? "-" : workflow.name(),
                                  StateName(workflow.state()),
                                  absl::StrCat(tally.done, "/", workflow.task_count()),
                                  absl::StrCat(tally.running),
                                  absl::StrCat(tally.failed),
                                  absl::StrCat(tally.left),
                                  AgeText(now - convert::FromProto(workflow.create_time()))};
  if (!wide) return row;
  row.push_back(workflow.owner());
  row.push_back(workflow.has_time_left() ? DurationText(convert::FromProto(workflow.time_left())) : "-");
  row.push_back(workflow.reason());
  return row;
}

std::string WorkflowTallyText(const v1::Workflow& workflow) { return TallyText(TallyOf(workflow.counts(), workflow.skipped_count())); }

StyledLine WorkflowProgress(const v1::Workflow& workflow) {
  const Tally tally = TallyOf(workflow.counts(), workflow.skipped_count());
  if (tally.total() == 0) return {{"nothing has started"}};
  StyledLine line = Bar(tally);
  std::string text = absl::StrFormat(" %3d%%  %s", 100 * tally.ended() / tally.total(), TallyText(tally));
  if (workflow.has_time_left() && !IsOver(workflow.state())) {
    absl::StrAppend(&text, ", about ", DurationText(convert::FromProto(workflow.time_left())), " to go");
  }
  line.push_back({std::move(text)});
  return line;
}

std::vector<StyledLine> WorkflowSummary(const v1::Workflow& workflow, absl::Time now) {
  std::vector<StyledLine> lines;
  lines.push_back(Field("Workflow", absl::StrCat(workflow.id(), workflow.name().empty() ? "" : " ", workflow.name())));
  lines.push_back(Field("State", StateText(workflow, now), StateColour(workflow.state())));
  if (!workflow.reason().empty()) lines.push_back(Field("Reason", workflow.reason()));
  StyledLine progress = Field("Progress", "");
  for (Span& span : WorkflowProgress(workflow)) progress.push_back(std::move(span));
  lines.push_back(std::move(progress));
  if (!workflow.owner().empty()) lines.push_back(Field("Owner", workflow.owner()));
  if (!IsOver(workflow.state())) lines.push_back(Field("At a failure", RuleText(workflow.on_failure())));
  if (workflow.max_parallel() > 0) lines.push_back(Field("At once", absl::StrCat("at most ", workflow.max_parallel())));
  if (workflow.retry_count() > 0) {
    lines.push_back(Field("Tried again", workflow.retry_count() == 1 ? "once" : absl::StrCat(workflow.retry_count(), " times")));
  }
  std::vector<std::string> labels;
  for (const v1::Label& label : workflow.labels()) {
    labels.push_back(label.value().empty() ? label.key() : absl::StrCat(label.key(), "=", label.value()));
  }
  if (!labels.empty()) lines.push_back(Field("Labels", absl::StrJoin(labels, " ")));
  return lines;
}

std::vector<StyledLine> WorkflowGraphLines(const std::vector<v1::WorkflowNodeStatus>& nodes, bool fold, absl::Time now,
                                           size_t width) {
  const std::vector<WorkflowRow> rows = WorkflowRows(nodes, fold);
  std::vector<std::vector<uint32_t>> needs;
  size_t name_width = 0, state_width = 0, time_width = 0;
  std::vector<std::string> states, times;
  for (const WorkflowRow& row : rows) {
    needs.push_back(row.needs);
    states.push_back(RowState(row));
    times.push_back(RowTime(row, now));
    name_width = std::max(name_width, std::min(kWidestName, DisplayWidth(row.name)));
    state_width = std::max(state_width, states.back().size());
    time_width = std::max(time_width, times.back().size());
  }
  const auto lanes = DrawLanes(needs);
  std::vector<StyledLine> lines;
  for (size_t i = 0; i < rows.size(); ++i) {
    std::string name = OneLine(rows[i].name, kWidestName);
    Pad(&name, name_width + 2);
    Pad(&states[i], state_width + 2);
    const Colour colour = ColourOf(TallyOf(rows[i].counts, static_cast<int64_t>(rows[i].skipped_count)));
    StyledLine line = {{lanes ? (*lanes)[i] : "", Colour::kDim}, {name}, {states[i], colour}, {times[i]}};
    if (Span note = RowNote(rows, rows[i], lanes.has_value()); !note.text.empty()) {
      line.back().text.append(time_width - times[i].size() + 2, ' ');
      line.push_back(std::move(note));
    }
    lines.push_back(width > 0 ? CutLine(line, width) : std::move(line));
  }
  return lines;
}

}  // namespace muster::cli
