#include "master/core/stragglers.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "master/core/views.h"

namespace muster::core {

std::optional<UsualRunTime> StragglerOf(const Cluster& cluster, const Task& task, absl::Time now) {
  const auto* running = std::get_if<Running>(&task.state);
  if (running == nullptr || now - running->since <= cluster.config.straggler_floor) return std::nullopt;
  const std::optional<UsualRunTime> usual = cluster.run_times.Usual(task.spec().fingerprint);
  const bool straggles =
      usual.has_value() && scheduler::IsStraggling(now - running->since, *usual, cluster.config.straggler_floor);
  return straggles ? usual : std::nullopt;
}

std::string StragglerWords(absl::Duration age, const UsualRunTime& usual) {
  // What usually takes no time at all is not taken as many times as it would be.
  const double times = absl::FDivDuration(age, std::max(usual.p90, absl::Milliseconds(1)));
  const absl::Duration whole = age < absl::Minutes(1) ? age : absl::Trunc(age, absl::Seconds(1));
  const absl::Duration p90 = absl::Trunc(usual.p90, usual.p90 < absl::Seconds(1) ? absl::Milliseconds(1) : absl::Milliseconds(100));
  return absl::StrCat("runs for ", DurationWords(whole), ", ",
                      times < 10 ? std::round(times * 10) / 10 : std::round(times), " times its usual ",
                      absl::FormatDuration(p90), " (p90 of ", usual.runs, " runs)");
}

std::vector<TaskId> LongestRunning(const Cluster& cluster, size_t limit) {
  std::vector<WorkerId> workers = cluster.workers.Ids();
  std::sort(workers.begin(), workers.end());
  std::vector<std::pair<absl::Time, TaskId>> running;
  size_t seen = 0;
  for (const WorkerId worker : workers) {
    for (const TaskId id : cluster.tasks.On(worker)) {
      if (++seen > kMostLookedAt) break;
      if (const auto* state = std::get_if<Running>(&cluster.tasks.Find(id)->state)) running.emplace_back(state->since, id);
    }
  }
  const size_t count = std::min(limit, running.size());
  std::partial_sort(running.begin(), running.begin() + static_cast<std::ptrdiff_t>(count), running.end());
  std::vector<TaskId> longest;
  for (size_t i = 0; i < count; ++i) longest.push_back(running[i].second);
  return longest;
}

void StragglerCount::OnTurn(absl::Time now) {
  if (workers_.empty()) {
    if (now < next_) return;
    next_ = now + kBetween;
    count_ = 0;
    workers_ = cluster_.workers.Ids();
  }
  size_t seen = 0;
  while (!workers_.empty() && seen < kPerTurn) {
    for (const TaskId id : cluster_.tasks.On(workers_.back())) {
      ++seen;
      if (StragglerOf(cluster_, *cluster_.tasks.Find(id), now).has_value()) ++count_;
    }
    workers_.pop_back();
  }
  if (workers_.empty()) cluster_.counters.stragglers = count_;
}

}  // namespace muster::core
