#include "master/app/queue_config.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/domain/cluster_resource.h"
#include "common/domain/exit_codes.h"

namespace muster::master {
namespace {

constexpr size_t kLongestQueueName = 128;
constexpr size_t kMostConfiguredQueues = 10'000;
constexpr int64_t kMostOfResource = 1'000'000'000'000;

bool IsQueueName(const std::string& name) {
  return !name.empty() && name.size() <= kLongestQueueName && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  });
}

template <typename Number>
absl::Status TakeNumber(const std::string& text, Number* target) {
  if (absl::SimpleAtoi(text, target)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no whole number"));
}

RetryPolicy& RetryOf(QueueSettings* settings) {
  if (!settings->retry.has_value()) settings->retry.emplace();
  return *settings->retry;
}

absl::Status TakeRate(const std::string& text, QueueSettings* settings) {
  if (absl::SimpleAtod(text, &settings->start_rate)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no number of starts a second"));
}

absl::Status TakeLossMode(const std::string& text, QueueSettings* settings) {
  if (text == "rerun") {
    settings->on_worker_loss = OnWorkerLoss::kRerun;
  } else if (text == "rerun-after-fence") {
    settings->on_worker_loss = OnWorkerLoss::kRerunAfterFence;
  } else if (text == "hold") {
    settings->on_worker_loss = OnWorkerLoss::kHold;
  } else {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not one of rerun, rerun-after-fence, hold"));
  }
  return absl::OkStatus();
}

absl::Status TakeRetries(const std::string& text, QueueSettings* settings) {
  uint32_t retries = 0;
  MUSTER_RETURN_IF_ERROR(TakeNumber(text, &retries));
  if (retries > 999) return absl::InvalidArgumentError(absl::StrCat("is ", retries, "; at most 999"));
  RetryOf(settings).max_attempts = retries + 1;
  return absl::OkStatus();
}

absl::Status TakeRetryDelay(const std::string& text, QueueSettings* settings) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(',', 1));
  RetryPolicy& retry = RetryOf(settings);
  MUSTER_ASSIGN_OR_RETURN(retry.base_delay, config::ParseDuration(parts[0]));
  if (parts.size() == 2) {
    MUSTER_ASSIGN_OR_RETURN(retry.max_delay, config::ParseDuration(parts[1]));
  }
  if (retry.max_delay >= retry.base_delay) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": the cap is below the base"));
}

absl::Status TakeCodes(const std::string& text, std::vector<int32_t>* codes) {
  MUSTER_ASSIGN_OR_RETURN(*codes, ParseExitCodes(text));
  return absl::OkStatus();
}

absl::Status TakeField(const std::string& field, const std::string& text, QueueSettings* settings) {
  if (field == "weight") return TakeNumber(text, &settings->weight);
  if (field == "max_running") return TakeNumber(text, &settings->max_running);
  if (field == "max_queued") return TakeNumber(text, &settings->max_queued);
  if (field == "start_rate") return TakeRate(text, settings);
  if (field == "burst") return TakeNumber(text, &settings->burst);
  if (field == "defaults.priority") return TakeNumber(text, &settings->priority.emplace());
  if (field == "defaults.retries") return TakeRetries(text, settings);
  if (field == "defaults.retry_delay") return TakeRetryDelay(text, settings);
  if (field == "defaults.retry_on") return TakeCodes(text, &RetryOf(settings).on_exit_codes);
  if (field == "defaults.never_retry") return TakeCodes(text, &RetryOf(settings).never_on_exit_codes);
  if (field == "defaults.on_worker_loss") return TakeLossMode(text, settings);
  MUSTER_ASSIGN_OR_RETURN(settings->run_timeout, config::ParseDuration(text));  // defaults.timeout
  return absl::OkStatus();
}

absl::Status AboutQueue(const std::string& name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("queues: ", name, ": ", what));
}

}  // namespace

std::vector<std::string> QueueFields() {
  return {"name", "weight", "max_running", "max_queued", "start_rate", "burst", "defaults.priority", "defaults.retries",
          "defaults.retry_delay", "defaults.retry_on", "defaults.never_retry", "defaults.on_worker_loss", "defaults.timeout"};
}

absl::StatusOr<std::map<std::string, QueueSettings>> ReadQueues(const std::vector<config::Entry>& entries) {
  if (entries.size() > kMostConfiguredQueues) {
    return absl::InvalidArgumentError(absl::StrCat("queues: more than ", kMostConfiguredQueues));
  }
  std::map<std::string, QueueSettings> queues;
  for (const config::Entry& entry : entries) {
    const auto named = entry.find("name");
    const std::string name = named == entry.end() ? "" : named->second;
    if (!IsQueueName(name)) {
      return AboutQueue(absl::StrCat("\"", name, "\""), "is no name for a queue; at most 128 of [A-Za-z0-9._-]");
    }
    QueueSettings settings;
    for (const auto& [field, text] : entry) {
      if (field == "name") continue;
      if (const absl::Status taken = TakeField(field, text, &settings); !taken.ok()) {
        return AboutQueue(name, absl::StrCat(field, ": ", taken.message()));
      }
    }
    if (const std::string wrong = WhyNoQueueSettings(settings); !wrong.empty()) return AboutQueue(name, wrong);
    if (!queues.emplace(name, std::move(settings)).second) return AboutQueue(name, "is there twice");
  }
  return queues;
}

absl::StatusOr<std::map<std::string, int64_t>> ReadResources(const std::map<std::string, std::string>& resources) {
  if (resources.size() > kMostClusterResources) {
    return absl::InvalidArgumentError(absl::StrCat("resources: more than ", kMostClusterResources));
  }
  std::map<std::string, int64_t> amounts;
  for (const auto& [name, text] : resources) {
    if (!IsQueueName(name)) {  // of the same characters
      return absl::InvalidArgumentError(absl::StrCat("resources: \"", name, "\" is no name; at most 128 of [A-Za-z0-9._-]"));
    }
    int64_t& amount = amounts[name];
    if (absl::SimpleAtoi(text, &amount) && amount >= 0 && amount <= kMostOfResource) continue;
    return absl::InvalidArgumentError(absl::StrCat("resources: ", name, ": \"", text, "\" is no whole number from 0 to ", kMostOfResource));
  }
  return amounts;
}

}  // namespace muster::master
