// Queues, to and from the API.
#include "common/convert/convert.h"

namespace muster::convert {

void ToProto(const RetryPolicy& from, v1::RetryPolicy* to) {
  to->set_max_attempts(from.max_attempts);
  ToProto(from.base_delay, to->mutable_base_delay());
  ToProto(from.max_delay, to->mutable_max_delay());
  to->mutable_on_exit_codes()->Assign(from.on_exit_codes.begin(), from.on_exit_codes.end());
  to->mutable_never_on_exit_codes()->Assign(from.never_on_exit_codes.begin(), from.never_on_exit_codes.end());
}

v1::OnWorkerLoss ToProto(OnWorkerLoss mode) {
  switch (mode) {
    case OnWorkerLoss::kRerun: return v1::ON_WORKER_LOSS_RERUN;
    case OnWorkerLoss::kRerunAfterFence: return v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE;
    case OnWorkerLoss::kHold: return v1::ON_WORKER_LOSS_HOLD;
  }
  return v1::ON_WORKER_LOSS_UNSPECIFIED;
}

void ToProto(const QueueSettings& from, v1::QueueSettings* to) {
  to->set_weight(from.weight);
  to->set_max_running(static_cast<int64_t>(from.max_running));
  to->set_max_queued(static_cast<int64_t>(from.max_queued));
  to->set_start_rate(from.start_rate);
  to->set_burst(from.burst);
  const bool any = from.priority.has_value() || from.retry.has_value() || from.on_worker_loss.has_value() ||
                   from.run_timeout.has_value();
  if (!any) return;
  v1::QueueDefaults* const defaults = to->mutable_defaults();
  if (from.priority.has_value()) defaults->set_priority(*from.priority);
  if (from.retry.has_value()) ToProto(*from.retry, defaults->mutable_retry());
  if (from.on_worker_loss.has_value()) defaults->set_on_worker_loss(ToProto(*from.on_worker_loss));
  if (from.run_timeout.has_value()) ToProto(*from.run_timeout, defaults->mutable_run_timeout());
}

QueueSettings FromProto(const v1::QueueSettings& from) {
  QueueSettings settings;
  settings.weight = from.weight() == 0 ? 1 : from.weight();
  settings.max_running = static_cast<uint64_t>(from.max_running());
  settings.max_queued = static_cast<uint64_t>(from.max_queued());
  settings.start_rate = from.start_rate();
  settings.burst = from.burst() == 0 ? 1 : from.burst();
  const v1::QueueDefaults& defaults = from.defaults();
  if (defaults.has_priority()) settings.priority = defaults.priority();
  if (defaults.has_retry()) settings.retry = FromProto(defaults.retry());
  if (defaults.on_worker_loss() != v1::ON_WORKER_LOSS_UNSPECIFIED) {
    settings.on_worker_loss = FromProto(defaults.on_worker_loss());
  }
  if (defaults.has_run_timeout()) settings.run_timeout = FromProto(defaults.run_timeout());
  return settings;
}

void ToProto(const QueueView& from, v1::Queue* to) {
  to->set_name(from.name);
  ToProto(from.settings, to->mutable_settings());
  to->set_set_by_hand(from.set_by_hand);
  to->set_paused(from.paused);
  if (from.paused) {
    if (from.pause.until != absl::InfiniteFuture()) ToProto(from.pause.until, to->mutable_pause_end_time());
    to->set_pause_reason(from.pause.reason);
  }
  to->set_queued_count(static_cast<int64_t>(from.queued));
  to->set_running_count(static_cast<int64_t>(from.running));
  ToProto(from.oldest_wait, to->mutable_oldest_wait());
  to->set_held_because(from.held_because);
}

}  // namespace muster::convert
