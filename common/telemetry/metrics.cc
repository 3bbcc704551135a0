#include "common/telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/synchronization/mutex.h"

namespace muster::telemetry {
namespace {

struct PrometheusCounter final : Counter {
  explicit PrometheusCounter(prometheus::Counter* c) : counter(c) {}
  void Increment(double by) override { counter->Increment(by); }
  prometheus::Counter* counter;
};
struct PrometheusGauge final : Gauge {
  explicit PrometheusGauge(prometheus::Gauge* g) : gauge(g) {}
  void Set(double value) override { gauge->Set(value); }
  prometheus::Gauge* gauge;
};
struct PrometheusHistogram final : Histogram {
  explicit PrometheusHistogram(prometheus::Histogram* h) : histogram(h) {}
  void Observe(double value) override { histogram->Observe(value); }
  prometheus::Histogram* histogram;
};

struct Callback {
  std::string name;
  std::string help;
  prometheus::MetricType type;
  std::function<Metrics::Series()> read;
};

// One series, its labels fixed.
std::function<Metrics::Series()> Alone(const MetricLabels& labels, std::function<double()> read) {
  return [labels, read = std::move(read)] { return Metrics::Series{{labels, read()}}; };
}

const std::vector<double> kSeconds = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3600};

}  // namespace

class Metrics::Impl {
 public:
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  mutable absl::Mutex mutex;
  std::deque<std::unique_ptr<Counter>> counters;
  std::deque<std::unique_ptr<Gauge>> gauges;
  std::deque<std::unique_ptr<Histogram>> histograms;
  std::vector<Callback> callbacks;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::AddCounter(const std::string& name, const std::string& help, const MetricLabels& labels) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
  absl::MutexLock lock(&impl_->mutex);
  return *impl_->counters.emplace_back(std::make_unique<PrometheusCounter>(&family.Add(labels)));
}

Gauge& Metrics::AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
  absl::MutexLock lock(&impl_->mutex);
  return *impl_->gauges.emplace_back(std::make_unique<PrometheusGauge>(&family.Add(labels)));
}

Histogram& Metrics::AddHistogram(const std::string& name, const std::string& help, const MetricLabels& labels,
                                 std::vector<double> buckets) {
  auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
  if (buckets.empty()) buckets = kSeconds;
  absl::MutexLock lock(&impl_->mutex);
  return *impl_->histograms.emplace_back(std::make_unique<PrometheusHistogram>(&family.Add(labels, buckets)));
}

void Metrics::AddGaugeCallback(const std::string& name, const std::string& help, const MetricLabels& labels,
                               std::function<double()> read) {
  absl::MutexLock lock(&impl_->mutex);
  impl_->callbacks.push_back({name, help, prometheus::MetricType::Gauge, Alone(labels, std::move(read))});
}

void Metrics::AddCounterCallback(const std::string& name, const std::string& help, const MetricLabels& labels,
                                 std::function<double()> read) {
  absl::MutexLock lock(&impl_->mutex);
  impl_->callbacks.push_back({name, help, prometheus::MetricType::Counter, Alone(labels, std::move(read))});
}

void Metrics::AddGaugeSeries(const std::string& name, const std::string& help, std::function<Series()> read) {
  absl::MutexLock lock(&impl_->mutex);
  impl_->callbacks.push_back({name, help, prometheus::MetricType::Gauge, std::move(read)});
}

std::string Metrics::Text() const {
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  std::vector<Callback> callbacks;
  {
    absl::MutexLock lock(&impl_->mutex);
    callbacks = impl_->callbacks;  // read without the lock: a callback may take locks of its own
  }
  for (const Callback& callback : callbacks) {
    auto family = std::find_if(families.begin(), families.end(),
                               [&callback](const auto& known) { return known.name == callback.name; });
    if (family == families.end()) {
      families.emplace_back();
      family = std::prev(families.end());
      family->name = callback.name;
      family->help = callback.help;
      family->type = callback.type;
    }
    for (const auto& [labels, value] : callback.read()) {
      prometheus::ClientMetric& metric = family->metric.emplace_back();
      for (const auto& [key, word] : labels) metric.label.push_back({key, word});
      (callback.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    }
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace muster::telemetry
