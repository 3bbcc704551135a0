#include "cli/queue_flags.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/errors.h"
#include "cli/task_flags.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

// "2/s:5", "0.5/s", "30/m", "none".
absl::Status ParseRate(const std::string& text, v1::QueueSettings* settings) {
  if (text == "none") return absl::OkStatus();
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  absl::string_view number = parts[0];
  double per = 1;
  if (absl::ConsumeSuffix(&number, "/m")) per = 60;
  if (absl::ConsumeSuffix(&number, "/h")) per = 3600;
  absl::ConsumeSuffix(&number, "/s");
  double rate = 0;
  uint32_t burst = 1;
  const bool fits = absl::SimpleAtod(number, &rate) && rate > 0 && (parts.size() == 1 || absl::SimpleAtoi(parts[1], &burst));
  if (!fits || burst == 0) return UsageError(absl::StrCat("--rate: '", text, "' is not N/s[:BURST], N/m, N/h or none"));
  settings->set_start_rate(rate / per);
  settings->set_burst(burst);
  return absl::OkStatus();
}

absl::StatusOr<const char*> PathOfDefault(const std::string& word) {
  if (word == "priority") return "defaults.priority";
  if (word == "retries") return "defaults.retry";
  if (word == "on-worker-loss") return "defaults.on_worker_loss";
  if (word == "timeout") return "defaults.run_timeout";
  return UsageError(absl::StrCat("--unset: '", word, "' is not one of priority, retries, on-worker-loss, timeout"));
}

absl::Status CheckCount(const char* flag, const std::optional<int64_t>& value, int64_t least, int64_t most) {
  if (!value || (*value >= least && *value <= most)) return absl::OkStatus();
  return UsageError(absl::StrCat(flag, ": ", *value, " is not within ", least, "..", most));
}

}  // namespace

void QueueFlags::Declare(Flags& flags) {
  flags.Number("--weight", &weight, "N", "Its share against other queues: 1..1000.");
  flags.Number("--max-running", &max_running, "N", "Tasks that run at a time; 0: no limit.");
  flags.Number("--max-queued", &max_queued, "N", "Tasks that wait at a time, more are refused; 0: no limit.");
  flags.Text("--rate", &rate, "N/s[:BURST]", "Tasks that start a second (or N/m, N/h); none: no limit.");
  flags.Number("--priority", &priority, "N", "For tasks without one of their own, as all below: -100..100.");
  flags.Number("--retries", &retries, "N", "Try again up to N times.");
  flags.Text("--retry-delay", &retry_delay, "BASE[,CAP]", "With --retries: random up to BASE, doubled, up to CAP.");
  flags.Text("--retry-on", &retry_on, "CODES", "With --retries: only for these exit codes.");
  flags.Text("--never-retry", &never_retry, "CODES", "With --retries: never for these exit codes.");
  flags.Choice("--on-worker-loss", &on_worker_loss, {"rerun", "rerun-after-fence", "hold"}, "When its worker is lost.");
  flags.Time("--timeout", &timeout, "D", "Stop what runs longer.");
  flags.Texts("--unset", &unset, "DEFAULT", "Take a default away: priority, retries, on-worker-loss, timeout.");
  flags.Switch("--reset", &reset, "First back to the master's configuration.");
}

absl::StatusOr<v1::UpdateQueueRequest> QueueFlags::Build(const std::string& queue) const {
  constexpr int64_t kMost = int64_t{1} << 40;
  MUSTER_RETURN_IF_ERROR(CheckCount("--weight", weight, 1, 1000));
  MUSTER_RETURN_IF_ERROR(CheckCount("--max-running", max_running, 0, kMost));
  MUSTER_RETURN_IF_ERROR(CheckCount("--max-queued", max_queued, 0, kMost));
  MUSTER_RETURN_IF_ERROR(CheckCount("--priority", priority, -100, 100));
  MUSTER_RETURN_IF_ERROR(CheckCount("--retries", retries, 0, 999));
  const bool more_of_retries = !retry_delay.empty() || !retry_on.empty() || !never_retry.empty();
  if (more_of_retries && !retries) return UsageError("--retry-delay, --retry-on and --never-retry need --retries");
  v1::UpdateQueueRequest request;
  request.set_name(queue);
  request.set_reset(reset);
  v1::QueueSettings& settings = *request.mutable_settings();
  auto& mask = *request.mutable_update_mask();
  if (weight) {
    settings.set_weight(static_cast<uint32_t>(*weight));
    mask.add_paths("weight");
  }
  if (max_running) {
    settings.set_max_running(*max_running);
    mask.add_paths("max_running");
  }
  if (max_queued) {
    settings.set_max_queued(*max_queued);
    mask.add_paths("max_queued");
  }
  if (!rate.empty()) {
    MUSTER_RETURN_IF_ERROR(ParseRate(rate, &settings));
    mask.add_paths("start_rate");
    mask.add_paths("burst");
  }
  v1::QueueDefaults& defaults = *settings.mutable_defaults();
  if (priority) {
    defaults.set_priority(static_cast<int32_t>(*priority));
    mask.add_paths("defaults.priority");
  }
  if (retries) {
    defaults.mutable_retry()->set_max_attempts(static_cast<uint32_t>(*retries + 1));
    if (!retry_delay.empty()) MUSTER_RETURN_IF_ERROR(SetRetryDelay(retry_delay, defaults.mutable_retry()));
    MUSTER_RETURN_IF_ERROR(SetRetryCodes(retry_on, never_retry, defaults.mutable_retry()));
    mask.add_paths("defaults.retry");
  }
  if (!on_worker_loss.empty()) {
    MUSTER_ASSIGN_OR_RETURN(const v1::OnWorkerLoss mode, ParseLossMode(on_worker_loss));
    defaults.set_on_worker_loss(mode);
    mask.add_paths("defaults.on_worker_loss");
  }
  if (timeout) {
    convert::ToProto(*timeout, defaults.mutable_run_timeout());
    mask.add_paths("defaults.run_timeout");
  }
  for (const std::string& word : unset) {
    MUSTER_ASSIGN_OR_RETURN(const char* const path, PathOfDefault(word));
    mask.add_paths(path);
  }
  if (mask.paths().empty() && !reset) return UsageError("nothing to set; give --weight, --max-running, ... or --reset");
  return request;
}

}  // namespace muster::cli
