#include "master/core/queue_events.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "master/core/views.h"

namespace muster::core {
namespace {

// For the activity log: what is not as it is by default.
std::string SettingsText(const QueueSettings& settings, bool by_hand) {
  std::string text = absl::StrCat("weight ", settings.weight);
  if (settings.max_running > 0) absl::StrAppend(&text, ", at most ", settings.max_running, " running");
  if (settings.max_queued > 0) absl::StrAppend(&text, ", at most ", settings.max_queued, " waiting");
  if (settings.start_rate > 0) {
    absl::StrAppend(&text, ", at most ", RateWords(settings.start_rate), " started, bursts of ", settings.burst);
  }
  if (settings.priority.has_value()) absl::StrAppend(&text, ", priority ", *settings.priority);
  if (settings.retry.has_value()) absl::StrAppend(&text, ", ", settings.retry->max_attempts, " attempts");
  if (settings.on_worker_loss.has_value()) absl::StrAppend(&text, ", its own way after a worker's loss");
  if (settings.run_timeout.has_value()) {
    absl::StrAppend(&text, ", run timeout ", absl::FormatDuration(*settings.run_timeout));
  }
  return by_hand ? text : absl::StrCat(text, " (as configured)");
}

}  // namespace

void QueueEvents::Start(const Moment& turn) {
  for (const auto& [queue, settings] : cluster_.queue_table.All()) {
    cluster_.queues.SetWeight(queue, settings.weight);
    cluster_.gates.Restore(queue, settings, cluster_.queue_table.PauseOf(queue), turn.now);
  }
}

void QueueEvents::OnUpdate(const Moment& turn, const UpdateQueue& event) {
  // What only takes away needs no place, and may free one.
  if (event.change.has_value() && AnswerTooMany(turn, event.call, event.name)) return;
  QueueTable& table = cluster_.queue_table;
  const QueueSettingRow before = table.RowOf(event.name);
  if (!event.change.has_value() && !before.by_hand.has_value()) return AnswerAsItIs(turn, event.call, event.name);
  if (event.reset) table.Reset(event.name);
  if (event.change.has_value()) {
    QueueSettings settings = event.change->AppliedTo(table.SettingsOf(event.name));
    if (const std::string wrong = WhyNoQueueSettings(settings); !wrong.empty()) {
      table.Restore(before);
      return turn.Emit(QueueAnswer{event.call, RefuseField("BAD_QUEUE_SETTINGS", "settings", wrong), {}});
    }
    table.SetByHand(event.name, std::move(settings));
  }
  Settle(turn, event.call, event.name, event.by);
}

void QueueEvents::OnPause(const Moment& turn, const PauseQueue& event) {
  if (AnswerTooMany(turn, event.call, event.name)) return;
  const absl::Time until = event.length.has_value() ? turn.now + *event.length : event.until;
  cluster_.queue_table.SetPause(event.name, {until, event.reason});
  Settle(turn, event.call, event.name, event.by);
}

void QueueEvents::OnResume(const Moment& turn, const ResumeQueue& event) {
  if (cluster_.queue_table.PauseOf(event.name) == QueuePause()) return AnswerAsItIs(turn, event.call, event.name);
  cluster_.queue_table.SetPause(event.name, {});
  Settle(turn, event.call, event.name, event.by);
}

void QueueEvents::AnswerAsItIs(const Moment& turn, CallId call, const std::string& queue) {
  turn.Emit(QueueAnswer{call, absl::OkStatus(), ViewOfQueue(cluster_, queue, turn.now)});
}

bool QueueEvents::AnswerTooMany(const Moment& turn, CallId call, const std::string& queue) {
  QueueTable& table = cluster_.queue_table;
  if (table.TakesAnother(queue)) return false;
  for (const std::string& forgotten : table.ForgetPast(turn.now)) {
    turn.rows().queue_settings.push_back(table.RowOf(forgotten));
  }
  if (table.TakesAnother(queue)) return false;
  turn.Emit(QueueAnswer{call,
                        Refuse(absl::StatusCode::kResourceExhausted, "TOO_MANY_QUEUES",
                               absl::StrCat(QueueTable::kMostQueuesSet,
                                            " queues are set or paused by hand, which is the most; free the places of some "
                                            "with muster queue set NAME --reset and muster queue resume NAME, or set the "
                                            "others in the master's configuration")),
                        {}});
  return true;
}

void QueueEvents::Settle(const Moment& turn, CallId call, const std::string& queue, const std::string& by) {
  const QueueTable& table = cluster_.queue_table;
  const QueueSettings& settings = table.SettingsOf(queue);
  const QueuePause& pause = table.PauseOf(queue);
  cluster_.queues.SetWeight(queue, settings.weight);
  cluster_.gates.Set(queue, settings, pause, turn.now);
  turn.rows().queue_settings.push_back(table.RowOf(queue));
  const std::string paused = pause.holds(turn.now) ? absl::StrCat("; ", PauseText(pause)) : std::string();
  turn.Log(activity::QueueChanged{queue, SettingsText(settings, table.IsSetByHand(queue)) + paused, by});
  turn.Emit(QueueChanged{queue, settings});
  turn.Emit(QueueAnswer{call, absl::OkStatus(), ViewOfQueue(cluster_, queue, turn.now)});
}

}  // namespace muster::core
