// muster simulate: what if the work of a log had met other workers, or another balancer.
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/activity_trace.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/config/read_file.h"
#include "google/protobuf/struct.pb.h"
#include "master/simulate/cluster_run.h"
#include "master/simulate/figures.h"
#include "master/simulate/swf.h"

namespace muster::cli {
namespace {

constexpr int64_t kMostWorkers = 20'000;
constexpr int64_t kMostSlots = 1'000'000;

struct SimulateFlags {
  std::string log, swf;
  std::optional<int64_t> workers, slots;
  std::vector<std::string> balancers;
  std::optional<absl::Duration> since, turnaround;
  OutputFlags output;
};

struct SimulatedRun {
  std::string balancer;
  simulate::Figures figures;
};

absl::StatusOr<simulate::Trace> ReadTrace(const SimulateFlags& flags) {
  if (flags.log.empty() == flags.swf.empty()) {
    return UsageError("simulate wants --log FILE (of `muster log -o jsonl`) or --swf FILE (of the Parallel Workloads Archive)");
  }
  const std::string& path = flags.log.empty() ? flags.swf : flags.log;
  const absl::StatusOr<std::string> text = config::ReadWholeFile(path == "-" ? "/dev/stdin" : path);
  if (!text.ok()) return UsageError(std::string(text.status().message()));
  absl::StatusOr<simulate::Trace> trace = flags.log.empty() ? simulate::ReadSwf(*text) : ReadActivityTrace(*text);
  if (!trace.ok()) return UsageError(absl::StrCat(path, ", ", trace.status().message()));
  if (flags.since) simulate::KeepLast(*flags.since, &*trace);
  if (trace->jobs.empty()) return UsageError(absl::StrCat(path, " holds no task that ran to its end"));
  return trace;
}

absl::StatusOr<std::vector<uint32_t>> FleetOf(const SimulateFlags& flags, const simulate::Trace& trace) {
  if (flags.workers && (*flags.workers < 1 || *flags.workers > kMostWorkers)) {
    return UsageError(absl::StrCat("--workers is not in 1..", kMostWorkers));
  }
  if (flags.slots && (*flags.slots < 1 || *flags.slots > kMostSlots)) {
    return UsageError(absl::StrCat("--slots is not in 1..", kMostSlots));
  }
  std::vector<uint32_t> fleet = trace.fleet;
  if (fleet.empty() && !flags.workers) return UsageError("the log names no worker; give --workers N and --slots N");
  const uint32_t usual = fleet.empty() ? 1 : *std::max_element(fleet.begin(), fleet.end());
  if (flags.workers) fleet.assign(static_cast<size_t>(*flags.workers), usual);
  if (flags.slots) std::fill(fleet.begin(), fleet.end(), static_cast<uint32_t>(*flags.slots));
  return fleet;
}

std::string SecondsText(double seconds) { return DurationText(absl::Seconds(seconds)); }
std::string FactorText(double factor) { return absl::StrFormat("%.2f", factor); }

struct FigureRow {
  const char* name;
  std::function<std::string(const simulate::Figures&)> text;
};

const std::vector<FigureRow>& FigureRows() {
  static const auto& rows = *new std::vector<FigureRow>{
      {"mean wait", [](const auto& f) { return SecondsText(f.wait.mean); }},
      {"  half wait at most", [](const auto& f) { return SecondsText(f.wait.p50); }},
      {"  90 % at most", [](const auto& f) { return SecondsText(f.wait.p90); }},
      {"  99 % at most", [](const auto& f) { return SecondsText(f.wait.p99); }},
      {"  longest", [](const auto& f) { return SecondsText(f.wait.most); }},
      {"mean slowdown", [](const auto& f) { return FactorText(f.slowdown.mean); }},
      {"  90 % at most", [](const auto& f) { return FactorText(f.slowdown.p90); }},
      {"  99 % at most", [](const auto& f) { return FactorText(f.slowdown.p99); }},
      {"makespan", [](const auto& f) { return DurationText(f.makespan); }},
      {"slots in use", [](const auto& f) { return absl::StrFormat("%.1f %%", 100 * f.utilisation); }},
      {"fairness", [](const auto& f) { return FactorText(f.fairness); }},
  };
  return rows;
}

void PrintTable(Session& session, const simulate::Trace& trace, const std::vector<SimulatedRun>& runs) {
  std::vector<std::string> header = {""};
  for (const SimulatedRun& run : runs) header.push_back(run.balancer);
  Table table(std::move(header));
  for (const FigureRow& row : FigureRows()) {
    std::vector<std::string> cells = {row.name};
    for (const SimulatedRun& run : runs) cells.push_back(row.text(run.figures));
    table.Add(std::move(cells));
  }
  table.Print(session.terminal());
  if (trace.mean_wait) Print(absl::StrCat("In truth the mean wait was ", DurationText(*trace.mean_wait), ".\n"));
}

using google::protobuf::Struct;

void Set(Struct* to, const std::string& name, double value) { (*to->mutable_fields())[name].set_number_value(value); }

Struct SpreadJson(const simulate::Spread& spread) {
  Struct json;
  Set(&json, "mean", spread.mean);
  Set(&json, "p50", spread.p50);
  Set(&json, "p90", spread.p90);
  Set(&json, "p99", spread.p99);
  Set(&json, "max", spread.most);
  return json;
}

Struct RunJson(const SimulatedRun& run) {
  Struct json;
  (*json.mutable_fields())["balancer"].set_string_value(run.balancer);
  Set(&json, "tasks", static_cast<double>(run.figures.jobs));
  Set(&json, "too_wide", static_cast<double>(run.figures.too_wide));
  Set(&json, "not_started", static_cast<double>(run.figures.not_started));
  *(*json.mutable_fields())["wait_seconds"].mutable_struct_value() = SpreadJson(run.figures.wait);
  *(*json.mutable_fields())["slowdown"].mutable_struct_value() = SpreadJson(run.figures.slowdown);
  Set(&json, "makespan_seconds", absl::ToDoubleSeconds(run.figures.makespan));
  Set(&json, "utilisation", run.figures.utilisation);
  Set(&json, "fairness", run.figures.fairness);
  return json;
}

void PrintData(Format format, const simulate::Trace& trace, const std::vector<SimulatedRun>& runs) {
  Struct json;
  if (trace.mean_wait) Set(&json, "observed_mean_wait_seconds", absl::ToDoubleSeconds(*trace.mean_wait));
  Set(&json, "left_out", static_cast<double>(trace.left_out));
  auto* const list = (*json.mutable_fields())["runs"].mutable_list_value();
  for (const SimulatedRun& run : runs) *list->add_values()->mutable_struct_value() = RunJson(run);
  PrintMessage(format, json);
}

void SayWhatIsMissing(Session& session, const simulate::Trace& trace, const simulate::Figures& figures) {
  if (trace.left_out > 0) {
    session.terminal().Say(absl::StrCat(trace.left_out, " tasks are left out: the log has no run time of them"));
  }
  if (figures.too_wide > 0) {
    session.terminal().Say(absl::StrCat(figures.too_wide, " tasks are wider than every worker and never ran; --slots makes workers wider"));
  }
  if (figures.not_started > 0) {
    session.terminal().Say(absl::StrCat(figures.not_started, " tasks never started: times of the log, or --turnaround, reach beyond what can be "
                                        "simulated (the year 2262)"));
  }
}

absl::StatusOr<int> Simulate(Session& session, const SimulateFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(const simulate::Trace trace, ReadTrace(flags));
  MUSTER_ASSIGN_OR_RETURN(const std::vector<uint32_t> fleet, FleetOf(flags, trace));
  std::vector<SimulatedRun> runs;
  for (const std::string& balancer : flags.balancers.empty() ? std::vector<std::string>{"least_loaded"} : flags.balancers) {
    const absl::StatusOr<simulate::Outcome> outcome = simulate::RunTrace(
        trace, {.fleet = fleet, .balancer = balancer, .turnaround = flags.turnaround.value_or(absl::ZeroDuration())});
    if (!outcome.ok()) {
      return UsageError(std::string(outcome.status().message()));
    }
    runs.push_back({balancer, simulate::FiguresOf(trace, fleet, *outcome)});
  }
  const Format format = flags.output.Get();
  IsData(format) ? PrintData(format, trace, runs) : PrintTable(session, trace, runs);
  SayWhatIsMissing(session, trace, runs.front().figures);
  return 0;
}

}  // namespace

Action SetUpSimulate(Flags& flags) {
  auto values = std::make_shared<SimulateFlags>();
  flags.Usage("simulate (--log FILE | --swf FILE) [flags]");
  flags.Text("--log", &values->log, "FILE", "What `muster log -o jsonl` printed; - for stdin.");
  flags.Text("--swf", &values->swf, "FILE", "A trace in the Standard Workload Format; a processor is a slot.");
  flags.Number("--workers", &values->workers, "N", "So many workers (as many as the log names).");
  flags.Number("--slots", &values->slots, "N", "Slots of each (as the log says).");
  flags.Texts("--balancer", &values->balancers, "NAME",
              "least_loaded, round_robin, weighted or locality; given twice, both side by side (least_loaded).");
  flags.Time("--since", &values->since, "D", "Only what arrived in the last D of the log.");
  flags.Time("--turnaround", &values->turnaround, "D", "From a decision to the start that it causes (0).");
  values->output.Declare(flags);
  flags.Examples(
      "  muster log -o jsonl > yesterday.jsonl\n"
      "  muster simulate --log yesterday.jsonl                                 as it was: does it tell the truth?\n"
      "  muster simulate --log yesterday.jsonl --workers 20 --since 24h        with twenty workers\n"
      "  muster simulate --swf CTC-SP2.swf --balancer least_loaded --balancer round_robin -o json");
  return [values](Session& session) { return Simulate(session, *values); };
}

}  // namespace muster::cli
