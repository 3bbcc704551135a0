#include "common/domain/queue_settings.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/domain/exit_codes.h"

namespace muster {
namespace {

template <typename T>
void Replace(const std::optional<T>& by, T* target) {
  if (by.has_value()) *target = *by;
}

struct RateUnit {
  double seconds;
  const char* words;
  const char* text;
};
constexpr RateUnit kRateUnits[] = {{1, " a second", "/s"}, {60, " a minute", "/m"}, {3600, " an hour", "/h"}};

// In which it is at least 1.
const RateUnit& UnitOf(double per_second) {
  for (const RateUnit& unit : kRateUnits) {
    if (per_second * unit.seconds > 0.999999) return unit;
  }
  return kRateUnits[2];
}

}  // namespace

QueueSettings QueueChange::AppliedTo(QueueSettings settings) const {
  Replace(weight, &settings.weight);
  Replace(max_running, &settings.max_running);
  Replace(max_queued, &settings.max_queued);
  Replace(start_rate, &settings.start_rate);
  Replace(burst, &settings.burst);
  Replace(priority, &settings.priority);
  Replace(retry, &settings.retry);
  Replace(on_worker_loss, &settings.on_worker_loss);
  Replace(run_timeout, &settings.run_timeout);
  return settings;
}

std::string RateWords(double per_second) {
  const RateUnit& unit = UnitOf(per_second);
  return absl::StrCat(per_second * unit.seconds, unit.words);
}

std::string RateText(double per_second) {
  const RateUnit& unit = UnitOf(per_second);
  return absl::StrCat(per_second * unit.seconds, unit.text);
}

std::string WhyNoQueueSettings(const QueueSettings& settings) {
  constexpr int32_t kMostPriority = 100;
  if (settings.weight < 1 || settings.weight > kMostQueueWeight) {
    return absl::StrCat("weight is ", settings.weight, "; 1 to ", kMostQueueWeight);
  }
  // Also what is no number is neither.
  const bool rate_fits = settings.start_rate >= kLeastQueueRate && settings.start_rate <= kMostQueueRate;
  if (settings.start_rate != 0 && !rate_fits) {
    return absl::StrCat("start_rate is ", settings.start_rate, "; 0 for none, or 0.000001 to 1000000 a second");
  }
  if (settings.burst < 1 || settings.burst > kMostQueueBurst) {
    return absl::StrCat("burst is ", settings.burst, "; 1 to ", kMostQueueBurst);
  }
  if (settings.priority.has_value() && (*settings.priority < -kMostPriority || *settings.priority > kMostPriority)) {
    return absl::StrCat("priority is ", *settings.priority, "; -100 to 100");
  }
  if (settings.retry.has_value()) {
    if (const auto code = CodeInBoth(settings.retry->on_exit_codes, settings.retry->never_on_exit_codes)) {
      return absl::StrCat("exit code ", *code, " is both to be retried and never to be");
    }
  }
  if (settings.run_timeout.has_value() && *settings.run_timeout <= absl::ZeroDuration()) {
    return "run_timeout must be positive; leave it out for none";
  }
  return "";
}

}  // namespace muster
