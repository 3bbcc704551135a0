#include "cli/task_table.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/page.h"
#include "cli/text.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr size_t kMostDependencies = 20;  // shown of a task

constexpr size_t kCommandWidth = 60;

const v1::Attempt* Newest(const v1::Task& task) {
  return task.attempts().empty() ? nullptr : &*task.attempts().rbegin();
}

absl::Time Earliest(const v1::Attempt& attempt) {
  if (attempt.has_start_time()) return convert::FromProto(attempt.start_time());
  if (attempt.has_dispatch_time()) return convert::FromProto(attempt.dispatch_time());
  return absl::InfiniteFuture();
}

std::string RunTime(const v1::Attempt* attempt, absl::Time now) {
  if (attempt == nullptr || !attempt->has_start_time()) return "-";
  if (attempt->end().usage().has_wall_time()) return DurationText(convert::FromProto(attempt->end().usage().wall_time()));
  const absl::Time end = attempt->has_end_time() ? convert::FromProto(attempt->end_time()) : now;
  return DurationText(std::max(absl::ZeroDuration(), end - Earliest(*attempt)));
}

std::string ExitText(const v1::Task& task) { return IsTerminal(task.state()) ? absl::StrCat(task.exit_code()) : "-"; }

std::string EndText(const v1::AttemptEnd& end) {
  std::string text = EndReasonName(end.reason());
  if (end.reason() == v1::END_REASON_EXITED) absl::StrAppend(&text, "(", end.exit_code(), ")");
  if (end.reason() == v1::END_REASON_SIGNALED) absl::StrAppend(&text, "(", end.signal(), ")");
  if (!end.message().empty()) absl::StrAppend(&text, ": ", end.message());
  return text;
}

std::string OutputText(const v1::OutputSummary& output) {
  std::string text = SizeText(output.total_bytes());
  if (output.omitted_bytes() > 0) absl::StrAppend(&text, " (", SizeText(output.omitted_bytes()), " not kept)");
  return text;
}

std::string TimeAndAge(absl::Time time, absl::Time now) {
  const absl::Duration age = now - time;
  return absl::StrCat(TimeText(time), age >= absl::ZeroDuration() ? absl::StrCat("  (", DurationText(age), " ago)")
                                                                : absl::StrCat("  (in ", DurationText(-age), ")"));
}

template <typename Labels>
std::string LabelsText(const Labels& labels) {
  std::vector<std::string> parts;
  for (const auto& label : labels) parts.push_back(label.value().empty() ? label.key() : absl::StrCat(label.key(), "=", label.value()));
  return absl::StrJoin(parts, " ");
}

// "4F, 4G:any and 3 more", as --after takes them.
std::string DependenciesText(const v1::TaskSpec& spec) {
  std::vector<std::string> words;
  for (const v1::Dependency& dependency : spec.dependencies()) {
    if (words.size() == kMostDependencies) break;
    const char* const condition = dependency.condition() == v1::DEPENDENCY_CONDITION_FAILURE ? ":failure"
                                  : dependency.condition() == v1::DEPENDENCY_CONDITION_ANY   ? ":any"
                                                                                              : "";
    words.push_back(dependency.task() + condition);
  }
  const size_t more = static_cast<size_t>(spec.dependencies_size()) - words.size();
  return absl::StrCat(absl::StrJoin(words, ", "), more > 0 ? absl::StrCat(" and ", more, " more") : "");
}

std::string IsolationText(const v1::TaskSpec& spec) {
  switch (spec.isolation()) {
    case v1::ISOLATION_LIMITED: return "limited";
    case v1::ISOLATION_STRICT: return spec.no_network() ? "strict, no network" : "strict";
    default: return "";
  }
}

void AddSpec(const v1::TaskSpec& spec, Page* page) {
  page->Line("Queue", spec.queue().empty() ? "default" : spec.queue());
  page->Line("Priority", absl::StrCat(spec.priority()));
  if (!spec.executor().empty() && spec.executor() != "command") page->Line("Executor", spec.executor());
  page->Line("Directory", spec.command().working_directory());
  std::vector<std::string> environment;
  for (const auto& variable : spec.command().environment()) environment.push_back(absl::StrCat(variable.name(), "=", ShellQuote(variable.value())));
  page->Line("Environment", absl::StrJoin(environment, " "));
  if (!spec.command().stdin().empty()) page->Line("Stdin", SizeText(static_cast<int64_t>(spec.command().stdin().size())));
  page->Line("Labels", LabelsText(spec.labels()));
  const v1::Requirements& needs = spec.requirements();
  std::vector<std::string> requirements(needs.needs().begin(), needs.needs().end());
  if (needs.slots() > 1) requirements.push_back(absl::StrCat(needs.slots(), " slots"));
  if (needs.cpu() > 0) requirements.push_back(absl::StrCat("cpu ", needs.cpu()));
  if (needs.memory_bytes() > 0) requirements.push_back(absl::StrCat("memory ", SizeText(needs.memory_bytes())));
  if (needs.disk_bytes() > 0) requirements.push_back(absl::StrCat("disk ", SizeText(needs.disk_bytes())));
  for (const auto& resource : needs.resources()) requirements.push_back(absl::StrCat(resource.name(), "=", resource.amount()));
  page->Line("Needs", absl::StrJoin(requirements, ", "));
  if (needs.arrangement() == v1::ARRANGEMENT_SPREAD) page->Line("Arrangement", "spread");
  if (needs.arrangement() == v1::ARRANGEMENT_PACK) page->Line("Arrangement", "pack");
  page->Line("Avoids", absl::StrJoin(needs.avoids(), ", "));
  page->Line("Isolation", IsolationText(spec));
  page->Line("After", DependenciesText(spec));
  page->Line("May write", absl::StrJoin(spec.outputs(), ", "));
  if (spec.has_run_timeout()) page->Line("Timeout", DurationText(convert::FromProto(spec.run_timeout())));
  if (spec.has_queue_timeout()) page->Line("Queue timeout", DurationText(convert::FromProto(spec.queue_timeout())));
  if (spec.retry().max_attempts() > 1) page->Line("Attempts", absl::StrCat("at most ", spec.retry().max_attempts()));
  if (spec.on_worker_loss() > v1::ON_WORKER_LOSS_RERUN) {
    page->Line("Worker loss", spec.on_worker_loss() == v1::ON_WORKER_LOSS_HOLD ? "hold" : "rerun after fence");
  }
}

void AddOutputs(const v1::Task& task, Page* page) {
  const v1::Attempt* const newest = Newest(task);
  if (newest == nullptr) return;
  for (const v1::NamedValue& output : newest->outputs()) {
    page->Line(absl::StrCat("Output ", OneLine(output.name(), kAnyWidth)), output.value().empty() ? "(empty)" : output.value());
  }
}

void AddAttempt(const v1::Attempt& attempt, absl::Time created, absl::Time now, Page* page) {
  page->Whole(absl::StrCat("  attempt ", attempt.number(), " on ", attempt.worker().empty() ? "?" : attempt.worker(), ": ",
                         attempt.has_end() ? EndText(attempt.end()) : "running"));
  std::vector<std::string> stages;
  const auto stage = [&](const char* name, absl::Time from, absl::Time to) {
    if (to >= from) stages.push_back(absl::StrCat(name, " ", DurationText(to - from)));
  };
  if (attempt.has_dispatch_time()) {
    const absl::Time dispatched = convert::FromProto(attempt.dispatch_time());
    if (attempt.number() == 1) stage("waited", created, dispatched);
    if (attempt.has_start_time()) {
      const absl::Time started = convert::FromProto(attempt.start_time());
      stage("sent", dispatched, started);
      stage(attempt.has_end_time() ? "ran" : "runs for", started, attempt.has_end_time() ? convert::FromProto(attempt.end_time()) : now);
    }
  }
  if (!stages.empty()) page->Whole(absl::StrCat("    times:  ", absl::StrJoin(stages, ", ")));
  if (attempt.end().has_usage()) {
    const v1::ResourceUsage& usage = attempt.end().usage();
    page->Whole(absl::StrCat("    usage:  cpu ", DurationText(convert::FromProto(usage.user_cpu_time())), " user, ",
                           DurationText(convert::FromProto(usage.system_cpu_time())), " system; memory peak ",
                           SizeText(usage.peak_memory_bytes()), "; read ", SizeText(usage.read_bytes()), ", wrote ",
                           SizeText(usage.written_bytes())));
  }
  if (attempt.has_end()) {
    page->Whole(absl::StrCat("    output: stdout ", OutputText(attempt.end().stdout()), ", stderr ", OutputText(attempt.end().stderr())));
  }
  for (const std::string& note : attempt.notes()) page->Whole(absl::StrCat("    note:   ", note));
}

}  // namespace

std::string TaskLabel(const v1::Task& task) { return task.id(); }

std::string RunTimeText(const v1::Task& task, absl::Time now) {
  const v1::Attempt* const newest = Newest(task);
  std::string text = RunTime(newest, now);
  if (!task.has_straggler() || newest == nullptr || !newest->has_start_time()) return text;
  const absl::Duration usual = std::max(convert::FromProto(task.straggler().p90()), absl::Milliseconds(1));
  const double times = absl::FDivDuration(now - Earliest(*newest), usual);
  return absl::StrCat(text, " (", std::max<int64_t>(0, std::llround(times)), "x usual)");
}

Colour StateColour(v1::TaskState state) {
  switch (state) {
    case v1::TASK_STATE_RUNNING:
    case v1::TASK_STATE_VALIDATING: return Colour::kBlue;
    case v1::TASK_STATE_SUCCEEDED: return Colour::kGreen;
    case v1::TASK_STATE_FAILED:
    case v1::TASK_STATE_TIMED_OUT:
    case v1::TASK_STATE_LOST:
    case v1::TASK_STATE_POISONED: return Colour::kRed;
    case v1::TASK_STATE_UNKNOWN:
    case v1::TASK_STATE_CANCELLED: return Colour::kYellow;
    default: return Colour::kPlain;
  }
}

std::vector<std::string> TaskHeader(bool wide) {
  if (wide) return {"ID", "STATE", "EXIT", "ATTEMPT", "WORKER", "QUEUE", "PRIO", "AGE", "TIME", "OWNER", "BATCH", "NAME", "REASON", "COMMAND"};
  return {"ID", "STATE", "EXIT", "WORKER", "AGE", "TIME", "NAME", "COMMAND"};
}

std::vector<std::string> TaskRow(const v1::Task& task, bool wide, absl::Time now) {
  const v1::Attempt* newest = Newest(task);
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  const std::string worker = newest != nullptr ? or_dash(newest->worker()) : "-";
  const std::string age = task.has_create_time() ? AgeText(now - convert::FromProto(task.create_time())) : "-";
  const std::string command = SpecCommandText(task.spec());
  if (wide) {
    return {task.id(), StateName(task.state()), ExitText(task), newest != nullptr ? absl::StrCat(newest->number()) : "-", worker,
            task.spec().queue().empty() ? "default" : task.spec().queue(), absl::StrCat(task.spec().priority()), age,
            RunTimeText(task, now), or_dash(task.owner()),
            task.batch_id().empty() ? "-" : absl::StrCat(task.batch_id(), "/", task.batch_index()), or_dash(task.spec().name()),
            or_dash(OneLine(task.reason(), 80)), OneLine(command, 500)};
  }
  return {task.id(), StateName(task.state()), ExitText(task), worker, age, RunTimeText(task, now), or_dash(task.spec().name()),
          OneLine(command, kCommandWidth)};
}

std::string TaskPage(const v1::Task& task, absl::Time now) {
  Page page;
  page.Line("Task", task.id());
  page.Line("Name", task.spec().name());
  std::string state = StateName(task.state());
  if (IsTerminal(task.state())) absl::StrAppend(&state, ", exit code ", task.exit_code());
  if (task.cancel_requested() && !IsTerminal(task.state())) absl::StrAppend(&state, ", to be cancelled");
  page.Line("State", state);
  page.Line("Reason", task.reason());
  page.Line("Cancelled for", task.cancel_reason());
  page.Line("Command", SpecCommandText(task.spec()));
  if (!task.batch_id().empty()) page.Line("Batch", absl::StrCat(task.batch_id(), "/", task.batch_index()));
  page.Line("Retry of", task.retry_of());
  page.Line("Owner", task.owner());
  const absl::Time created = convert::FromProto(task.create_time());
  page.Line("Submitted", TimeAndAge(created, now));
  if (task.spec().has_start_time()) page.Line("Not before", TimeAndAge(convert::FromProto(task.spec().start_time()), now));
  if (task.has_end_time()) page.Line("Ended", TimeAndAge(convert::FromProto(task.end_time()), now));
  AddSpec(task.spec(), &page);
  AddOutputs(task, &page);
  if (!task.attempts().empty()) page.Whole("Attempts:");
  for (const v1::Attempt& attempt : task.attempts()) AddAttempt(attempt, created, now, &page);
  return page.Take();
}

std::string BatchPage(const v1::Batch& batch, absl::Time now) {
  Page page;
  page.Line("Batch", batch.id());
  page.Line("Name", batch.template_().name());
  page.Line("Tasks", absl::StrCat(batch.task_count(), ": ", CountsText({batch.counts().begin(), batch.counts().end()})));
  page.Line("Exit code", absl::StrCat(batch.exit_code()));
  page.Line("Command", SpecCommandText(batch.template_()));
  page.Line("Owner", batch.owner());
  page.Line("Submitted", TimeAndAge(convert::FromProto(batch.create_time()), now));
  AddSpec(batch.template_(), &page);
  page.Whole(absl::StrCat("`muster ps -a ", batch.id(), "` lists its tasks; ", batch.id(), "/1 is the first."));
  return page.Take();
}

}  // namespace muster::cli
