#include "master/simulate/figures.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace muster::simulate {
namespace {

constexpr absl::Duration kShortestRun = absl::Seconds(1);

// The smallest value that at least this part of all are not above.
double Quantile(const std::vector<double>& sorted, double part) {
  const auto rank = static_cast<size_t>(std::ceil(part * static_cast<double>(sorted.size())));
  return sorted[std::clamp(rank, size_t{1}, sorted.size()) - 1];
}

Spread SpreadOf(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size()), Quantile(values, 0.5),
          Quantile(values, 0.9), Quantile(values, 0.99), values.back()};
}

double Slowdown(const Job& job, absl::Duration wait) {
  return std::max(1.0, absl::FDivDuration(wait + job.run_time, std::max(job.run_time, kShortestRun)));
}

// Mean slowdowns, by kind; of kinds that ran something.
class KindMeans {
 public:
  explicit KindMeans(size_t kinds) : sums_(kinds), counts_(kinds) {}
  void Add(uint32_t kind, double slowdown) {
    sums_[kind] += slowdown;
    ++counts_[kind];
  }
  double JainIndex() const {
    double sum = 0, squares = 0, kinds = 0;
    for (size_t i = 0; i < sums_.size(); ++i) {
      if (counts_[i] == 0) continue;
      const double mean = sums_[i] / static_cast<double>(counts_[i]);
      sum += mean;
      squares += mean * mean;
      kinds += 1;
    }
    return kinds == 0 ? 1 : sum * sum / (kinds * squares);
  }

 private:
  std::vector<double> sums_;
  std::vector<uint64_t> counts_;
};

}  // namespace

Figures FiguresOf(const Trace& trace, const std::vector<uint32_t>& fleet, const Outcome& outcome) {
  Figures figures;
  std::vector<double> waits, slowdowns;
  KindMeans means(trace.kinds.size());
  double busy = 0;  // slot seconds
  const uint32_t widest = fleet.empty() ? 0 : *std::max_element(fleet.begin(), fleet.end());
  for (size_t i = 0; i < trace.jobs.size(); ++i) {
    const Job& job = trace.jobs[i];
    if (outcome.waits[i] == Outcome::kNever) {
      ++(job.slots > widest ? figures.too_wide : figures.not_started);
      continue;
    }
    waits.push_back(absl::ToDoubleSeconds(outcome.waits[i]));
    slowdowns.push_back(Slowdown(job, outcome.waits[i]));
    means.Add(job.kind, slowdowns.back());
    busy += absl::ToDoubleSeconds(job.run_time) * job.slots;
  }
  figures.jobs = waits.size();
  figures.makespan = outcome.makespan;
  const double slots = std::accumulate(fleet.begin(), fleet.end(), 0.0);
  const double there = slots * absl::ToDoubleSeconds(outcome.makespan);
  figures.utilisation = there > 0 ? busy / there : 0;
  figures.fairness = means.JainIndex();
  figures.wait = SpreadOf(std::move(waits));
  figures.slowdown = SpreadOf(std::move(slowdowns));
  return figures;
}

}  // namespace muster::simulate
