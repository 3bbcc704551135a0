// Metrics of a process in one registry, written out in Prometheus' text format.
//
//   Counter& accepted = metrics.AddCounter("muster_tasks_accepted_total", "Tasks accepted.");
//   accepted.Increment();
//   metrics.AddGaugeCallback("muster_mailbox_depth", "...", {}, [&] { return double(mailbox.size()); });
//
// Thread rule: any thread; callbacks run on the thread that serves /metrics. Ownership: the registry owns the
// series; references stay valid as long as it does.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace muster::telemetry {

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Increment(double by = 1) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

using MetricLabels = std::map<std::string, std::string>;

class Metrics {
 public:
  Metrics();
  ~Metrics();

  Counter& AddCounter(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels = {});
  // Default buckets: 100 us to 1 h, for seconds.
  Histogram& AddHistogram(const std::string& name, const std::string& help, const MetricLabels& labels = {},
                          std::vector<double> buckets = {});
  // Asked at each scrape. `Counter` form for values that only grow.
  void AddGaugeCallback(const std::string& name, const std::string& help, const MetricLabels& labels,
                        std::function<double()> read);
  void AddCounterCallback(const std::string& name, const std::string& help, const MetricLabels& labels,
                          std::function<double()> read);

  // Asked at each scrape for all series of one gauge, whose label values come and go. Bound their number.
  using Series = std::vector<std::pair<MetricLabels, double>>;
  void AddGaugeSeries(const std::string& name, const std::string& help, std::function<Series()> read);

  std::string Text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::telemetry
