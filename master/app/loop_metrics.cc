#include "master/app/loop_metrics.h"

#include <string>
#include <utility>

#include "common/domain/task_state.h"
#include "common/domain/worker.h"

namespace muster::master {
namespace {

constexpr int kTaskStates = 13;
constexpr int kWorkerStates = 6;

using Read = std::function<LoopFigures()>;

void AddTaskStates(telemetry::Metrics* metrics, const Read& read) {
  for (int i = 1; i < kTaskStates; ++i) {
    const auto state = static_cast<TaskState>(i);
    const telemetry::MetricLabels labels = {{"state", std::string(TaskStateName(state))}};
    if (IsTerminal(state)) {
      metrics->AddCounterCallback("muster_tasks_ended_total", "Tasks that reached their end since the start.", labels,
                                  [read, i] { return static_cast<double>(read().core.ended_by_state[i]); });
    } else {
      metrics->AddGaugeCallback("muster_tasks", "Open tasks.", labels,
                                [read, i] { return static_cast<double>(read().core.open_by_state[i]); });
    }
  }
}

void AddWorkerStates(telemetry::Metrics* metrics, const Read& read) {
  for (int i = 1; i < kWorkerStates; ++i) {
    metrics->AddGaugeCallback("muster_workers", "Workers that the master knows.",
                              {{"state", std::string(WorkerStateName(static_cast<WorkerState>(i)))}},
                              [read, i] { return static_cast<double>(read().worker_count[i]); });
  }
}

void AddCounts(telemetry::Metrics* metrics, const Read& read) {
  struct Series {
    const char* name;
    const char* help;
    uint64_t core::CoreCounters::*member;
  };
  static constexpr Series kSeries[] = {
      {"muster_tasks_accepted_total", "Tasks accepted.", &core::CoreCounters::accepted},
      {"muster_tasks_impossible_total", "Of those, tasks that no worker that was there could ever have taken.",
       &core::CoreCounters::accepted_impossible},
      {"muster_attempts_dispatched_total", "Attempts sent to workers.", &core::CoreCounters::dispatched},
      {"muster_retries_total", "Further attempts after a failure.", &core::CoreCounters::retries},
      {"muster_worker_losses_total", "Attempts lost with their worker.", &core::CoreCounters::worker_losses},
      {"muster_stale_reports_total", "Reports about superseded attempts.", &core::CoreCounters::stale_reports},
      {"muster_superseded_reports_total", "Reports of sessions that are not the worker's open one.",
       &core::CoreCounters::superseded_reports},
      {"muster_refused_submits_total", "Submits that the core refused.", &core::CoreCounters::refused_submits},
      {"muster_prefetched_total", "Attempts sent ahead of a free slot.", &core::CoreCounters::prefetched},
      {"muster_workers_limited_total", "Workers that fell to one attempt at a time: they failed at once, again and again.",
       &core::CoreCounters::workers_limited},
      {"muster_workers_quarantined_total", "Workers put aside because they failed what works elsewhere.",
       &core::CoreCounters::workers_quarantined},
      {"muster_quarantines_withheld_total", "Failures for which a worker would be in quarantine, were it not a third already.",
       &core::CoreCounters::quarantines_withheld},
      {"muster_quarantine_probes_total", "Attempts that workers in quarantine were allowed, to be tried.",
       &core::CoreCounters::quarantine_probes},
      {"muster_run_times_damaged_total", "Rows of learned run times that the start could not read.",
       &core::CoreCounters::damaged_run_times},
      {"muster_rooms_held_total", "Times that a worker was emptied for a task that asks for more than one slot.",
       &core::CoreCounters::rooms_held},
      {"muster_recalled_total", "Attempts asked back before they started.", &core::CoreCounters::recalled},
  };
  for (const Series& series : kSeries) {
    const auto member = series.member;
    metrics->AddCounterCallback(series.name, series.help, {},
                                [read, member] { return static_cast<double>(read().core.*member); });
  }
}

void AddShadow(telemetry::Metrics* metrics, const Read& read) {
  struct Series {
    const char* decision;
    uint64_t core::CoreCounters::*member;
  };
  for (const Series& series : {Series{"same", &core::CoreCounters::shadow_same},
                               Series{"different", &core::CoreCounters::shadow_different}}) {
    metrics->AddCounterCallback("muster_shadow_decisions_total",
                                "Placements, by whether the balancer that runs as the shadow would have chosen alike.",
                                {{"decision", series.decision}},
                                [read, member = series.member] { return static_cast<double>(read().core.*member); });
  }
}

void AddSchedules(telemetry::Metrics* metrics, const Read& read) {
  struct Series {
    const char* result;
    uint64_t core::CoreCounters::*member;
  };
  for (const Series& series : {Series{"started", &core::CoreCounters::schedule_runs},
                               Series{"skipped", &core::CoreCounters::schedule_skips},
                               Series{"refused", &core::CoreCounters::schedule_refusals}}) {
    metrics->AddCounterCallback("muster_schedule_runs_total",
                                "Runs of schedules, by what became of them; due times skipped together count once.",
                                {{"result", series.result}},
                                [read, member = series.member] { return static_cast<double>(read().core.*member); });
  }
  metrics->AddGaugeCallback("muster_schedules", "Schedules that there are.", {},
                            [read] { return static_cast<double>(read().core.schedules); });
}

void AddQueues(telemetry::Metrics* metrics, const Read& read) {
  struct Gauge {
    const char* name;
    const char* help;
    double QueueFigures::*member;
  };
  static constexpr Gauge kGauges[] = {
      {"muster_queue_waiting", "Tasks that wait, by queue; \"\": of all further queues.", &QueueFigures::waiting},
      {"muster_queue_running", "Tasks that are dispatched, running or unknown, by queue.", &QueueFigures::running},
      {"muster_queue_held", "1 while a queue starts nothing: it is paused or at a limit.", &QueueFigures::held},
  };
  for (const Gauge& gauge : kGauges) {
    metrics->AddGaugeSeries(gauge.name, gauge.help, [read, member = gauge.member] {
      telemetry::Metrics::Series series;
      const LoopFigures figures = read();
      if (figures.queues == nullptr) return series;
      for (const QueueFigures& queue : *figures.queues) {
        series.emplace_back(telemetry::MetricLabels{{"queue", queue.name}}, queue.*member);
      }
      return series;
    });
  }
}

void AddResources(telemetry::Metrics* metrics, const Read& read) {
  using Figure = double (*)(const ClusterResourceView&);
  const auto add = [&](const char* name, const char* help, Figure figure) {
    metrics->AddGaugeSeries(name, help, [read, figure] {
      telemetry::Metrics::Series series;
      const LoopFigures figures = read();
      if (figures.resources == nullptr) return series;
      for (const ClusterResourceView& resource : *figures.resources) {
        series.emplace_back(telemetry::MetricLabels{{"resource", resource.name}}, figure(resource));
      }
      return series;
    });
  };
  add("muster_cluster_resource", "What the cluster has of a resource as a whole.",
      [](const ClusterResourceView& resource) { return static_cast<double>(resource.amount); });
  add("muster_cluster_resource_used", "What of it is taken.",
      [](const ClusterResourceView& resource) { return static_cast<double>(resource.used); });
  add("muster_cluster_resource_waiting", "Queued tasks that found too little of it, and those behind them that ask for the same.",
      [](const ClusterResourceView& resource) { return static_cast<double>(resource.waiting); });
}

}  // namespace

QueueFiguresPtr FiguresOf(const std::vector<QueueView>& queues) {
  auto figures = std::make_shared<std::vector<QueueFigures>>();
  for (const QueueView& queue : queues) {
    if (figures->size() < kMostQueueSeries) {
      figures->push_back({.name = queue.name});
    } else if (figures->size() == kMostQueueSeries) {
      figures->push_back({});
    }
    figures->back().waiting += static_cast<double>(queue.queued);
    figures->back().running += static_cast<double>(queue.running);
    if (!queue.held_because.empty()) figures->back().held += 1;
  }
  return figures;
}

LoopMetrics AddLoopMetrics(telemetry::Metrics* metrics) {
  const std::vector<double> sizes = {1, 4, 16, 64, 256, 1024, 4096, 16384};
  return {
      .turn_seconds = &metrics->AddHistogram("muster_loop_turn_seconds", "One turn of the loop, commit included."),
      .commit_seconds = &metrics->AddHistogram("muster_commit_seconds", "One durable commit."),
      .turn_events = &metrics->AddHistogram("muster_loop_turn_events", "Events applied in one turn.", {}, sizes),
      .refused_posts = &metrics->AddCounter("muster_mailbox_refused_total", "Events refused: the mailbox was full."),
      .disk_full_waits =
          &metrics->AddCounter("muster_disk_full_waits_total", "Commits that found the disk full and waited."),
      .refused_low = &metrics->AddCounter("muster_low_room_refused_total", "Submits refused: little room is left."),
      .bridged_heartbeats = &metrics->AddCounter("muster_bridged_heartbeats_total",
                                                 "Heartbeats answered while a commit took long or waited for room."),
  };
}

void AddFigureMetrics(telemetry::Metrics* metrics, std::function<LoopFigures()> read) {
  AddTaskStates(metrics, read);
  AddWorkerStates(metrics, read);
  AddCounts(metrics, read);
  AddQueues(metrics, read);
  AddResources(metrics, read);
  AddShadow(metrics, read);
  AddSchedules(metrics, read);
  metrics->AddGaugeCallback("muster_stragglers", "Attempts that run much longer than their command usually does.", {},
                            [read] { return static_cast<double>(read().core.stragglers); });
  metrics->AddGaugeCallback("muster_queued_bytes", "Bytes of what is open.", {},
                            [read] { return static_cast<double>(read().core.queued_bytes); });
  metrics->AddGaugeCallback("muster_admission_floor", "Lower priorities are let in sparingly, for the queue is slow; -101: none.",
                            {}, [read] { return static_cast<double>(read().core.admission_floor); });
  metrics->AddGaugeCallback("muster_queue_delay_seconds", "The shortest wait of what started lately (queue.delay_target).",
                            {}, [read] { return absl::ToDoubleSeconds(read().core.queue_delay); });
  metrics->AddCounterCallback("muster_loop_turns_total", "Turns of the loop.", {},
                              [read] { return static_cast<double>(read().turns); });
  metrics->AddCounterCallback("muster_commits_total", "Durable commits since the start.", {},
                              [read] { return static_cast<double>(read().commits); });
  metrics->AddGaugeCallback("muster_last_commit", "Number of the newest durable commit.", {},
                            [read] { return static_cast<double>(read().last_commit.value()); });
}

}  // namespace muster::master
