#include "worker/app/worker_metrics.h"

#include <unistd.h>

#include <string>
#include <utility>

#include "common/telemetry/log.h"

namespace muster::worker {

WorkerMetrics::WorkerMetrics(telemetry::Metrics* metrics, uint32_t slots, std::function<WorkerCoreView()> view,
                             std::function<int64_t()> output_bytes)
    : started(metrics->AddCounter("muster_worker_attempts_started_total", "Attempts handed to an executor.")),
      refused(metrics->AddCounter("muster_worker_attempts_refused_total", "Assignments that were not taken.")),
      given_back(metrics->AddCounter("muster_worker_attempts_given_back_total", "Attempts given back unstarted.")),
      direct(metrics->AddCounter("muster_worker_direct_total", "Direct executions that were started.")),
      direct_refused(metrics->AddCounter("muster_worker_direct_refused_total", "Direct executions refused.")),
      sessions(metrics->AddCounter("muster_worker_sessions_total", "Sessions that were obeyed.")),
      sessions_refused(metrics->AddCounter("muster_worker_sessions_refused_total",
                                           "Sessions of an older epoch or number, or ended by a newer one.")),
      results_sent(metrics->AddCounter("muster_worker_results_sent_total", "Results sent, repeats included.")),
      fenced(metrics->AddCounter("muster_worker_killed_total", "Attempts killed by force: lease or drain ended.")),
      orphaned(metrics->AddCounter("muster_worker_orphans_total", "Attempts of another cluster that were stopped.")),
      refused_connections(metrics->AddCounter("muster_worker_connections_refused_total",
                                              "gRPC connections closed at once, because there were too many.")),
      refused_calls(metrics->AddCounter("muster_worker_calls_refused_total",
                                        "gRPC calls of those who may not make them.")),
      run_time_(metrics->AddHistogram("muster_worker_run_seconds", "Run time of attempts that started.")) {
  for (size_t i = 1; i < kReasons; ++i) {
    ended_[i] = &metrics->AddCounter("muster_worker_attempts_ended_total", "Attempts that ended, by reason.",
                                     {{"reason", std::string(EndReasonName(static_cast<EndReason>(i)))}});
  }
  const auto gauge = [metrics, &view](const char* name, const char* help, auto WorkerCoreView::*field) {
    metrics->AddGaugeCallback(name, help, {}, [view, field] { return static_cast<double>(view().*field); });
  };
  gauge("muster_worker_running", "Attempts that run now.", &WorkerCoreView::running);
  gauge("muster_worker_waiting", "Attempts that wait for a slot.", &WorkerCoreView::waiting);
  gauge("muster_worker_used_slots", "Slots in use.", &WorkerCoreView::used_slots);
  gauge("muster_worker_unacknowledged", "Results that wait to be acknowledged.", &WorkerCoreView::unacknowledged);
  gauge("muster_worker_session_open", "1 while a master's session is open and the master answers.", &WorkerCoreView::session_open);
  gauge("muster_worker_draining", "1 while nothing new is taken.", &WorkerCoreView::draining);
  metrics->AddGaugeCallback("muster_worker_slots", "Slots.", {}, [slots] { return static_cast<double>(slots); });
  metrics->AddGaugeCallback("muster_worker_pid", "The server's process id.", {},
                            [pid = getpid()] { return static_cast<double>(pid); });
  metrics->AddCounterCallback("muster_worker_output_bytes_total", "Live output sent to the master.", {},
                              [read = std::move(output_bytes)] { return static_cast<double>(read()); });
  metrics->AddCounterCallback("muster_log_lines_dropped_total", "Log lines dropped: the queue was full.", {},
                              [] { return static_cast<double>(telemetry::DroppedLogLines()); });
}

void WorkerMetrics::CountEnd(const AttemptReport& report) {
  const auto reason = static_cast<size_t>(report.end.reason);
  if (reason > 0 && reason < kReasons) ended_[reason]->Increment();
  if (report.started) run_time_.Observe(absl::ToDoubleSeconds(report.end_time - report.start_time));
}

}  // namespace muster::worker
