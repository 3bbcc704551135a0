#include "worker/app/host_listener.h"

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/telemetry/log.h"
#include "worker/session/attempt_work.h"

namespace muster::worker {

void HostListener::OnStarted(AttemptKey key, absl::Time time) {
  if (const auto direct = DirectOf(key)) {
    if (const auto call = service_->direct().Find(*direct)) call->Started();
    return;
  }
  loop_->Post(ExecutionStarted{key, time});
}

void HostListener::OnOutput(AttemptKey key, plugin::Stream stream, int64_t offset, std::string bytes,
                            int64_t skipped) {
  OutputPiece piece{.key = key, .stream = stream, .offset = offset, .bytes = std::move(bytes), .skipped = skipped};
  const auto direct = DirectOf(key);
  if (!direct) return relay_->OnOutput(std::move(piece));
  if (const auto call = service_->direct().Find(*direct)) call->Output(std::move(piece));
}

void HostListener::OnWorkEnded(AttemptKey key, absl::Time time) {
  if (const auto direct = DirectOf(key)) return loop_->Post(DirectWorkEnded{*direct});
  loop_->Post(WorkEnded{key, time});
}

void HostListener::OnEnded(AttemptReportPtr report) {
  metrics_->CountEnd(*report);
  if (const auto direct = DirectOf(report->key)) {
    if (const auto call = service_->direct().Find(*direct)) call->Ended(*report);
    MUSTER_LOG(kInfo, "direct execution ended", {{"direct", DirectName(*direct)}, {"end", Describe(report->end)}});
    loop_->Post(DirectEnded{*direct});
    return;
  }
  MUSTER_LOG(kDebug, "attempt ended", {{"task", IdToText(report->key.task.value())},
                                       {"attempt", report->key.number.value()}, {"end", Describe(report->end)}});
  relay_->Forget(report->key);
  loop_->Post(ExecutionEnded{std::move(report)});
}

void HostListener::OnLog(AttemptKey key, absl::Time time, plugin::Severity severity, std::string message,
                         std::vector<std::pair<std::string, std::string>> fields) {
  MUSTER_LOG(kDebug, "executor says", {{"task", IdToText(key.task.value())}, {"attempt", key.number.value()},
                                       {"text", message}});
  if (DirectOf(key)) return;
  relay_->OnLog({.key = key, .time = time, .severity = severity, .message = std::move(message),
                 .fields = std::move(fields)});
}

}  // namespace muster::worker
