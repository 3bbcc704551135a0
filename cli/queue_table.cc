#include "cli/queue_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "cli/page.h"
#include "cli/text.h"
#include "common/convert/convert.h"
#include "common/domain/exit_codes.h"
#include "common/domain/queue_settings.h"

namespace muster::cli {
namespace {

// "3/8", or "3" without a limit.
std::string OfMost(int64_t count, int64_t most) {
  return most > 0 ? absl::StrCat(count, "/", most) : absl::StrCat(count);
}

// "2/s:5"
std::string StartRateText(const v1::QueueSettings& settings) {
  if (settings.start_rate() == 0) return "-";
  return absl::StrCat(RateText(settings.start_rate()), settings.burst() > 1 ? absl::StrCat(":", settings.burst()) : "");
}

std::string OldestText(const v1::Queue& queue) {
  const absl::Duration wait = convert::FromProto(queue.oldest_wait());
  return queue.queued_count() == 0 || wait == absl::ZeroDuration() ? "-" : AgeText(wait);
}

// "paused until it is resumed: a deploy"
std::string ReasonText(const v1::Queue& queue) {
  return std::string(absl::StripPrefix(queue.held_because(), "is "));
}

std::string LossText(v1::OnWorkerLoss mode) {
  switch (mode) {
    case v1::ON_WORKER_LOSS_HOLD: return "hold";
    case v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE: return "rerun-after-fence";
    default: return "rerun";
  }
}

std::string DefaultsText(const v1::QueueDefaults& defaults) {
  std::vector<std::string> parts;
  if (defaults.has_priority()) parts.push_back(absl::StrCat("priority ", defaults.priority()));
  if (defaults.has_retry()) {
    const RetryPolicy retry = convert::FromProto(defaults.retry());
    parts.push_back(absl::StrCat("retries ", retry.max_attempts - 1));
    if (!retry.on_exit_codes.empty()) parts.push_back(absl::StrCat("retry on ", ExitCodesText(retry.on_exit_codes)));
    if (!retry.never_on_exit_codes.empty()) parts.push_back(absl::StrCat("never retry ", ExitCodesText(retry.never_on_exit_codes)));
  }
  if (defaults.on_worker_loss() != v1::ON_WORKER_LOSS_UNSPECIFIED) {
    parts.push_back(absl::StrCat("on worker loss ", LossText(defaults.on_worker_loss())));
  }
  if (defaults.has_run_timeout()) {
    parts.push_back(absl::StrCat("timeout ", DurationText(convert::FromProto(defaults.run_timeout()))));
  }
  return parts.empty() ? "-" : absl::StrJoin(parts, ", ");
}

}  // namespace

std::string SettingsText(const v1::QueueSettings& settings) {
  std::string text = absl::StrCat("weight ", settings.weight());
  if (settings.max_running() > 0) absl::StrAppend(&text, ", at most ", settings.max_running(), " running");
  if (settings.max_queued() > 0) absl::StrAppend(&text, ", at most ", settings.max_queued(), " waiting");
  if (settings.start_rate() > 0) absl::StrAppend(&text, ", rate ", StartRateText(settings));
  if (const std::string defaults = DefaultsText(settings.defaults()); defaults != "-") absl::StrAppend(&text, ", ", defaults);
  return text;
}

std::string QueueState(const v1::Queue& queue) {
  if (queue.paused()) return "PAUSED";
  return queue.held_because().empty() ? "OPEN" : "HELD";
}

Colour QueueColour(const v1::Queue& queue) {
  if (queue.paused()) return Colour::kRed;
  return queue.held_because().empty() ? Colour::kGreen : Colour::kYellow;
}

std::vector<std::string> QueueHeader(bool wide) {
  if (wide) return {"NAME", "WEIGHT", "WAITING", "RUNNING", "RATE", "OLDEST", "STATE", "SET", "DEFAULTS", "REASON"};
  return {"NAME", "WEIGHT", "WAITING", "RUNNING", "RATE", "OLDEST", "STATE", "REASON"};
}

std::vector<std::string> QueueRow(const v1::Queue& queue, bool wide) {
  const v1::QueueSettings& settings = queue.settings();
  std::vector<std::string> row = {queue.name(),
                                  absl::StrCat(settings.weight()),
                                  OfMost(queue.queued_count(), settings.max_queued()),
                                  OfMost(queue.running_count(), settings.max_running()),
                                  StartRateText(settings),
                                  OldestText(queue),
                                  QueueState(queue)};
  if (wide) {
    row.push_back(queue.set_by_hand() ? "by hand" : "-");
    row.push_back(DefaultsText(settings.defaults()));
  }
  const std::string reason = ReasonText(queue);
  row.push_back(reason.empty() ? "-" : reason);
  return row;
}

std::string QueuePage(const v1::Queue& queue) {
  Page page;
  const auto line = [&page](const char* name, const std::string& value) { page.Line(name, value); };
  const v1::QueueSettings& settings = queue.settings();
  line("Queue", queue.name());
  line("State", QueueState(queue));
  line("Reason", ReasonText(queue));
  line("Weight", absl::StrCat(settings.weight()));
  line("Waiting", OfMost(queue.queued_count(), settings.max_queued()));
  line("Running", OfMost(queue.running_count(), settings.max_running()));
  line("Start rate", StartRateText(settings));
  line("Oldest waits", OldestText(queue));
  line("Defaults", DefaultsText(settings.defaults()));
  line("Set", queue.set_by_hand() ? "by hand; `muster queue set --reset` goes back to the configuration" : "as configured");
  return page.Take();
}

}  // namespace muster::cli
