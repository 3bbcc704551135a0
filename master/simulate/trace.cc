#include "master/simulate/trace.h"

#include <algorithm>

namespace muster::simulate {

void Order(Trace* trace) {
  std::vector<Job>& jobs = trace->jobs;
  std::stable_sort(jobs.begin(), jobs.end(), [](const Job& a, const Job& b) { return a.arrival < b.arrival; });
  if (jobs.empty()) return;
  const absl::Duration first = jobs.front().arrival;
  for (Job& job : jobs) job.arrival -= first;
}

void KeepLast(absl::Duration last, Trace* trace) {
  std::vector<Job>& jobs = trace->jobs;
  if (jobs.empty()) return;
  const absl::Duration from = jobs.back().arrival - last;
  if (from <= absl::ZeroDuration()) return;
  const auto kept = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) { return job.arrival >= from; });
  jobs.erase(jobs.begin(), kept);
  trace->mean_wait.reset();
  Order(trace);
}

}  // namespace muster::simulate
