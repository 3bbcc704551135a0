#include "master/request_handler/queue_change.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/domain/exit_codes.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"

namespace muster::handler {
namespace {

const TaskLimits kLimits;  // of the tasks that get the defaults
constexpr absl::Duration kLongestPause = absl::Hours(24 * 365 * 100);

absl::Status BadSetting(const std::string& field, const std::string& what) {
  return RefuseField("BAD_QUEUE_SETTINGS", absl::StrCat("settings.", field), what);
}

// A protobuf Duration that is one, not negative, and no longer than a task's may be.
bool IsLength(const google::protobuf::Duration& duration) {
  constexpr int32_t kMostNanos = 999'999'999;
  return duration.seconds() >= 0 && duration.seconds() < absl::ToInt64Seconds(kLimits.longest_timeout) &&
         duration.nanos() >= 0 && duration.nanos() <= kMostNanos;
}

absl::Status CheckCodes(const std::string& field, const google::protobuf::RepeatedField<int32_t>& codes) {
  const auto is_none = [](int32_t code) { return code < 0 || code > kMostExitCode; };
  if (codes.size() <= kMostExitCodes && std::none_of(codes.begin(), codes.end(), is_none)) return absl::OkStatus();
  return BadSetting(field, absl::StrCat("must be at most ", kMostExitCodes, ", each from 0 to ", kMostExitCode));
}

absl::Status CheckRetryDefaults(const v1::RetryPolicy& retry) {
  if (retry.max_attempts() > kLimits.max_attempts) {
    return BadSetting("defaults.retry.max_attempts", absl::StrCat("is ", retry.max_attempts(), "; at most ", kLimits.max_attempts));
  }
  if (!IsLength(retry.base_delay())) return BadSetting("defaults.retry.base_delay", "is no duration, negative, or longer than ten years");
  if (!IsLength(retry.max_delay())) return BadSetting("defaults.retry.max_delay", "is no duration, negative, or longer than ten years");
  MUSTER_RETURN_IF_ERROR(CheckCodes("defaults.retry.on_exit_codes", retry.on_exit_codes()));
  MUSTER_RETURN_IF_ERROR(CheckCodes("defaults.retry.never_on_exit_codes", retry.never_on_exit_codes()));
  const RetryPolicy policy = convert::FromProto(retry);
  if (const auto code = CodeInBoth(policy.on_exit_codes, policy.never_on_exit_codes)) {
    return BadSetting("defaults.retry.never_on_exit_codes", absl::StrCat("has ", *code, ", and so has on_exit_codes"));
  }
  return absl::OkStatus();
}

absl::Status CheckValues(const v1::QueueSettings& settings) {
  if (settings.max_running() < 0) return BadSetting("max_running", "is negative; 0 for none");
  if (settings.max_queued() < 0) return BadSetting("max_queued", "is negative; 0 for none");
  const v1::QueueDefaults& defaults = settings.defaults();
  if (!v1::OnWorkerLoss_IsValid(defaults.on_worker_loss())) {
    return BadSetting("defaults.on_worker_loss", "is one that this master does not know");
  }
  if (!IsLength(defaults.run_timeout())) return BadSetting("defaults.run_timeout", "is no duration, negative, or longer than ten years");
  return CheckRetryDefaults(defaults.retry());
}

std::vector<std::string> PathsOf(const v1::UpdateQueueRequest& request) {
  if (request.has_update_mask()) return {request.update_mask().paths().begin(), request.update_mask().paths().end()};
  const v1::QueueSettings& settings = request.settings();
  const v1::QueueDefaults& defaults = settings.defaults();
  std::vector<std::string> paths;
  if (settings.weight() != 0) paths.emplace_back("weight");
  if (settings.max_running() != 0) paths.emplace_back("max_running");
  if (settings.max_queued() != 0) paths.emplace_back("max_queued");
  if (settings.start_rate() != 0) paths.emplace_back("start_rate");
  if (settings.burst() != 0) paths.emplace_back("burst");
  if (defaults.has_priority()) paths.emplace_back("defaults.priority");
  if (defaults.has_retry()) paths.emplace_back("defaults.retry");
  if (defaults.on_worker_loss() != v1::ON_WORKER_LOSS_UNSPECIFIED) paths.emplace_back("defaults.on_worker_loss");
  if (defaults.has_run_timeout()) paths.emplace_back("defaults.run_timeout");
  return paths;
}

// False: there is no such setting.
bool TakePath(const std::string& path, const QueueSettings& from, QueueChange* change) {
  const bool all = path == "defaults";
  if (path == "weight") {
    change->weight = from.weight;
  } else if (path == "max_running") {
    change->max_running = from.max_running;
  } else if (path == "max_queued") {
    change->max_queued = from.max_queued;
  } else if (path == "start_rate") {
    change->start_rate = from.start_rate;
  } else if (path == "burst") {
    change->burst = from.burst;
  } else if (!all && path != "defaults.priority" && path != "defaults.retry" && path != "defaults.on_worker_loss" &&
             path != "defaults.run_timeout") {
    return false;
  }
  if (all || path == "defaults.priority") change->priority.emplace(from.priority);
  if (all || path == "defaults.retry") change->retry.emplace(from.retry);
  if (all || path == "defaults.on_worker_loss") change->on_worker_loss.emplace(from.on_worker_loss);
  if (all || path == "defaults.run_timeout") change->run_timeout.emplace(from.run_timeout);
  return true;
}

}  // namespace

absl::Status CheckQueueName(const std::string& name) {
  if (IsName(name, kLongestName)) return absl::OkStatus();
  return RefuseField("BAD_NAME", "name", absl::StrCat("must be at most ", kLongestName, " characters of [A-Za-z0-9._-]"));
}

absl::StatusOr<QueueChange> ReadChange(const v1::UpdateQueueRequest& request) {
  MUSTER_RETURN_IF_ERROR(CheckQueueName(request.name()));
  MUSTER_RETURN_IF_ERROR(CheckValues(request.settings()));
  const QueueSettings settings = convert::FromProto(request.settings());
  QueueChange change;
  for (const std::string& path : PathsOf(request)) {
    if (TakePath(path, settings, &change)) continue;
    return RefuseField("BAD_MASK", "update_mask",
                       "names a setting that there is not; there are weight, max_running, max_queued, start_rate, burst, "
                       "defaults, and defaults.priority, .retry, .on_worker_loss, .run_timeout");
  }
  return change;
}

absl::StatusOr<core::PauseQueue> ReadPause(const v1::PauseQueueRequest& request, absl::Time now) {
  MUSTER_RETURN_IF_ERROR(CheckQueueName(request.name()));
  MUSTER_RETURN_IF_ERROR(CheckReason(request.reason()));
  core::PauseQueue pause{.name = request.name(), .reason = request.reason()};
  if (request.has_end_time() && request.has_duration()) {
    return RefuseField("BAD_PAUSE", "duration", "excludes end_time; give one of them, or none");
  }
  if (request.has_end_time()) {
    pause.until = convert::FromProto(request.end_time());
    if (pause.until <= now || pause.until > now + kLongestPause) {
      return RefuseField("BAD_PAUSE", "end_time", "must be to come, and within a hundred years");
    }
  }
  if (request.has_duration()) {
    pause.length = convert::FromProto(request.duration());
    if (*pause.length <= absl::ZeroDuration() || *pause.length > kLongestPause) {
      return RefuseField("BAD_PAUSE", "duration", "must be positive, and at most a hundred years");
    }
  }
  return pause;
}

}  // namespace muster::handler
