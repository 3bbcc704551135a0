#include "worker/execution/plugin_metrics.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::execution {
namespace {

constexpr size_t kMaxNameBytes = 64;

bool ValidName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || name[0] < 'a' || name[0] > 'z') return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  }
  return true;
}

}  // namespace

PluginMetrics::PluginMetrics(telemetry::Metrics* metrics, std::string executor)
    : metrics_(metrics), executor_(std::move(executor)) {
  if (metrics_ == nullptr) return;
  dropped_ = &metrics_->AddCounter("muster_executor_metrics_dropped_total",
                                   "Values of executor plugins that were dropped: a bad name, or too many names.",
                                   {{"executor", executor_}});
}

PluginMetrics::Series PluginMetrics::Find(std::string_view name, bool counter) {
  const std::string key(name);
  absl::MutexLock lock(&mutex_);
  const auto found = series_.find(key);
  if (found != series_.end()) return found->second;
  if (series_.size() >= kMaxNames || !ValidName(name)) return {};
  // The kind is part of the exported name, since all executors share one space of names.
  const std::string full = absl::StrCat("muster_executor_", key, counter ? "_total" : "");
  Series series;
  if (counter) {
    series.counter = &metrics_->AddCounter(full, "Counted by executor plugins.", {{"executor", executor_}});
  } else {
    series.histogram = &metrics_->AddHistogram(full, "Observed by executor plugins.", {{"executor", executor_}});
  }
  series_.emplace(key, series);
  return series;
}

void PluginMetrics::Count(std::string_view name, double amount) {
  if (metrics_ == nullptr || !(amount >= 0)) return;
  const Series series = Find(name, true);
  if (series.counter != nullptr) return series.counter->Increment(amount);
  dropped_->Increment();
}

void PluginMetrics::Observe(std::string_view name, double value) {
  if (metrics_ == nullptr) return;
  const Series series = Find(name, false);
  if (series.histogram != nullptr) return series.histogram->Observe(value);
  dropped_->Increment();
}

}  // namespace muster::execution
