#include "cli/plan_page.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/fold_names.h"
#include "cli/output.h"
#include "cli/text.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr size_t kUsualWidth = 80;
constexpr size_t kTitleWidth = 15;
constexpr size_t kFewestAlike = 3;
constexpr size_t kMostOfTheWay = 12;       // nodes of the longest way that are shown, from both ends
constexpr int kMostStages = 40;            // shown, from both ends

StyledLine Titled(const std::string& title, std::string value) {
  return {{absl::StrFormat("%-15s", title)}, {std::move(value)}};
}

std::string Plural(int64_t count, const char* one, const char* many) { return absl::StrCat(count, " ", count == 1 ? one : many); }

// "fetch -> build -> (94 more) -> ship", in lines of at most `width` characters.
std::vector<std::string> WayLines(const v1::WorkflowPlan& plan, size_t width) {
  std::vector<std::string> words;
  const size_t size = static_cast<size_t>(plan.critical_path_size());
  const size_t left_out = size > kMostOfTheWay ? size - kMostOfTheWay : 0;
  for (size_t i = 0; i < size; ++i) {
    if (left_out > 0 && i == kMostOfTheWay / 2) {
      words.push_back(absl::StrCat("(", left_out, " more)"));
      i += left_out;
    }
    words.push_back(OneLine(plan.critical_path(static_cast<int>(i)), width - 3));
  }
  std::vector<std::string> lines;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = absl::StrCat(words[i], i + 1 < words.size() ? " ->" : "");
    if (lines.empty() || DisplayWidth(lines.back()) + 1 + DisplayWidth(word) > width) {
      lines.push_back(word);
    } else {
      absl::StrAppend(&lines.back(), " ", word);
    }
  }
  return lines;
}

std::string WorkText(const v1::WorkflowPlan& plan) {
  const absl::Duration work = convert::FromProto(plan.total_work());
  const absl::Duration way = convert::FromProto(plan.critical_path_time());
  std::string text = absl::StrCat(DurationText(work), " in all");
  if (way > absl::ZeroDuration()) {
    absl::StrAppend(&text, absl::StrFormat("; at best %.1f times as fast as on one slot", absl::FDivDuration(work, way)));
  }
  return text;
}

std::string TimesText(const v1::WorkflowPlan& plan) {
  if (plan.unknown_count() == 0) return "known of all tasks";
  const std::string assumed = DurationText(convert::FromProto(plan.assumed()));
  if (plan.unknown_count() >= plan.task_count()) return absl::StrCat("not known of any task: each counts as ", assumed);
  return absl::StrCat("not known of ", plan.unknown_count(), " of ", plan.task_count(), " tasks: each counts as ", assumed,
                      ", the others' median");
}

StyledLine StageLine(const v1::WorkflowPlan& plan, int stage, const std::unordered_set<std::string>& way, size_t width) {
  const v1::WorkflowStage& told = plan.stages(stage);
  // The node of the longest way is named by itself, and first.
  std::string critical;
  std::vector<std::string> others;
  for (const std::string& name : told.nodes()) {
    if (critical.empty() && way.count(name) > 0) {
      critical = OneLine(name, width / 2);
    } else {
      others.push_back(name);
    }
  }
  StyledLine line = {{absl::StrFormat("%5d  %7d  ", stage + 1, told.task_count())}};
  size_t room = width - std::min(width, DisplayWidth(line[0].text));
  if (!critical.empty()) {
    room -= std::min(room, DisplayWidth(critical) + 3);
    line.push_back({absl::StrCat("*", critical, others.empty() ? "" : ", "), Colour::kBold});
  }
  line.push_back({FoldedList(others, kFewestAlike, room)});
  return line;
}

std::string DotText(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(OneLine(text, kAnyWidth), {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

const char* EdgeStyle(v1::DependencyCondition condition) {
  switch (condition) {
    case v1::DEPENDENCY_CONDITION_FAILURE: return "style=dashed, label=\"failure\"";
    case v1::DEPENDENCY_CONDITION_ANY: return "style=dotted, label=\"any\"";
    default: return "";
  }
}

void AddNode(const v1::WorkflowNode& node, absl::Duration time, bool critical, std::string* dot) {
  const std::string count = node.rows().empty() ? "" : absl::StrCat(" x ", node.rows_size());
  // DotText escapes what is within; the line break is Graphviz's own.
  std::string label = DotText(absl::StrCat(node.name(), count));
  label.insert(label.size() - 1, absl::StrCat("\\n", DurationText(time)));
  absl::StrAppend(dot, "  ", DotText(node.name()), " [label=", label, critical ? ", color=red, penwidth=2" : "", "];\n");
}

void AddNeeds(const v1::WorkflowNode& node, const std::string& before, std::string* dot) {
  for (const v1::Need& need : node.needs()) {
    std::vector<std::string> style;
    if (const std::string of_condition = EdgeStyle(need.condition()); !of_condition.empty()) style.push_back(of_condition);
    if (!before.empty() && need.node() == before) style.push_back("color=red, penwidth=2");
    absl::StrAppend(dot, "  ", DotText(need.node()), " -> ", DotText(node.name()),
                    style.empty() ? "" : absl::StrCat(" [", absl::StrJoin(style, ", "), "]"), ";\n");
  }
}

}  // namespace

std::vector<StyledLine> PlanLines(const v1::WorkflowPlan& plan, size_t width) {
  width = std::max<size_t>(width == 0 ? kUsualWidth : width, 2 * kTitleWidth);
  std::vector<StyledLine> lines;
  lines.push_back(Titled("Plan:", absl::StrCat(Plural(plan.task_count(), "task", "tasks"), " in ",
                                              Plural(plan.stages_size(), "stage", "stages"), ", at most ", plan.width(),
                                              " side by side; ", Plural(plan.need_count(), "need", "needs"))));
  lines.push_back(Titled("Critical path:", DurationText(convert::FromProto(plan.critical_path_time()))));
  for (std::string& line : WayLines(plan, width - kTitleWidth)) lines.push_back({{std::string(kTitleWidth, ' ')}, {std::move(line), Colour::kBold}});
  lines.push_back(Titled("Work:", WorkText(plan)));
  lines.push_back(Titled("Slots:", absl::StrCat(plan.slots_to_reach_critical_path(),
                                               plan.slots_to_reach_critical_path() == 1 ? " reaches" : " reach",
                                               " about the time of the critical path")));
  lines.push_back(Titled("Run times:", TimesText(plan)));
  lines.push_back({});
  lines.push_back({{"STAGE    TASKS  NODES (* on the critical path)"}});
  const std::unordered_set<std::string> way(plan.critical_path().begin(), plan.critical_path().end());
  const int stages = plan.stages_size();
  for (int stage = 0; stage < stages; ++stage) {
    if (stages > kMostStages && stage == kMostStages / 2) {
      lines.push_back({{absl::StrCat("  ...  ", stages - kMostStages, " more stages"), Colour::kDim}});
      stage += stages - kMostStages;
    }
    lines.push_back(StageLine(plan, stage, way, width));
  }
  for (StyledLine& line : lines) line = CutLine(line, width);
  return lines;
}

std::string PlanDot(const v1::WorkflowSpec& workflow, const v1::PlanWorkflowResponse& answer) {
  std::unordered_map<std::string, std::string> before;  // of each node of the longest way the one before it
  std::string last;
  for (const std::string& name : answer.plan().critical_path()) before[name] = std::exchange(last, name);
  std::string dot = absl::StrCat("digraph ", DotText(workflow.name().empty() ? "workflow" : workflow.name()),
                                 " {\n  rankdir=LR;\n  node [shape=box];\n");
  for (int i = 0; i < workflow.nodes_size(); ++i) {
    const absl::Duration time = i < answer.node_times_size() ? convert::FromProto(answer.node_times(i)) : absl::ZeroDuration();
    AddNode(workflow.nodes(i), time, before.count(workflow.nodes(i).name()) > 0, &dot);
  }
  for (const v1::WorkflowNode& node : workflow.nodes()) {
    const auto found = before.find(node.name());
    AddNeeds(node, found == before.end() ? "" : found->second, &dot);
  }
  return absl::StrCat(dot, "}\n");
}

}  // namespace muster::cli
