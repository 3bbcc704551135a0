// What a decision costs the real core, as the queue and the fleet grow; and a day of a large cluster.
//
//   placement_bench            placements in a full cluster: 1,000 tasks on 10 workers, 1,000,000 on 10,000
//   placement_bench locality   by another balancer
//   placement_bench licence    10,000 keys wait for one licence, against 10
//   placement_bench day        1,000,000 arrivals in a day on 1,000 workers, as `muster simulate` runs them
//
// A placement is all that the core does for a task that ends and one that takes its place: report, outcome, round,
// assignment. Each figure is the median of nine rounds, in time of the processor; the sizes take turns.
// The large case is bound by memory: what a word costs that is in no cache is told beside it, for on machines that are shared
// it changes by half from minute to minute, and the figures with it.
#if MUSTER_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "master/core/cluster_core.h"
#include "master/simulate/cluster_run.h"
#include "master/simulate/figures.h"

namespace {

using namespace muster;

constexpr int kRounds = 9;
constexpr int kPlacements = 20'000;  // a round
constexpr uint32_t kSlots = 4;
constexpr char kLicence[] = "license.matlab";
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

double HeapBytes() {
#if MUSTER_JEMALLOC
  uint64_t epoch = 1;
  size_t allocated = 0;
  size_t size = sizeof(epoch);
  mallctl("epoch", &epoch, &size, &epoch, size);  // what follows is of now
  size = sizeof(allocated);
  mallctl("stats.allocated", &allocated, &size, nullptr, 0);
  return static_cast<double>(allocated);
#else
  const struct mallinfo2 heap = mallinfo2();
  return static_cast<double>(heap.uordblks + heap.hblkhd);
#endif
}

// One thread computes: what else the machine does is not counted.
absl::Duration ProcessorTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

// Nanoseconds until a word of 256 MiB is there: each names the next, in no order.
double WordFromMemory() {
  constexpr size_t kLines = size_t{4} << 20;
  struct alignas(64) Line {
    uint32_t next = 0;
  };
  std::vector<Line> lines(kLines);
  std::vector<uint32_t> order(kLines);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (size_t i = 0; i < kLines; ++i) lines[order[i]].next = order[(i + 1) % kLines];
  const absl::Duration begin = ProcessorTime();
  volatile uint32_t at = 0;
  for (int i = 0; i < 1'000'000; ++i) at = lines[at].next;
  return absl::ToDoubleNanoseconds(ProcessorTime() - begin) / 1e6;
}

class FullCluster {
 public:
  // `licences`: there are so many, and each task wants one and has a key of its class; 0: none of that.
  FullCluster(BalancerKind balancer, uint32_t workers, uint64_t queued, uint32_t classes, int64_t licences = 0)
      : core_(Config(balancer, licences), Empty()), wants_licence_(licences > 0) {
    core_.Start(now_, &effects_);
    for (uint32_t i = 0; i < workers; ++i) Join(i);
    Settle();
    SubmitRound(workers * kSlots, classes);  // they fill every slot
    const double before = HeapBytes();
    queued_ = queued;
    SubmitRound(queued, classes);
    bytes_a_task_ = (HeapBytes() - before) / static_cast<double>(queued);
  }

  // Microseconds.
  double OnePlacement() {
    const absl::Duration begin = ProcessorTime();
    for (int i = 0; i < kPlacements; ++i) {
      now_ += absl::Microseconds(100);
      EndOne();
      Settle();
      if (++placed_ % queued_ == 0) SubmitRound(queued_, 1);
    }
    return absl::ToDoubleMicroseconds(ProcessorTime() - begin) / kPlacements;
  }

  double bytes_a_task() const { return bytes_a_task_; }

 private:
  struct Running {
    AttemptKey key;
    WorkerId worker;
    SessionNumber session;
  };

  static core::CoreConfig Config(BalancerKind balancer, int64_t licences) {
    core::CoreConfig config;
    if (licences > 0) config.resources = {{kLicence, licences}};
    config.placement.balancer = balancer;
    config.heartbeat = config.lost_after = config.self_fence = absl::Hours(1'000'000);
    config.max_queued = 1'000'000'000;
    config.prefetch_limit = 0;
    return config;
  }
  static core::RecoveredState Empty() {
    core::RecoveredState state;
    state.cluster_id = "bench";
    state.epoch = Epoch(1);
    return state;
  }

  void Join(uint32_t index) {
    core::WorkerJoin join{.call = CallId(), .name = "w" + std::to_string(index), .incarnation = Incarnation(1), .address = "nowhere:1"};
    join.offer.capacity.slots = kSlots;
    join.offer.capacity.memory_bytes = int64_t{1} << 40;
    join.offer.executors.push_back({.name = "command"});
    core_.Apply(std::move(join), now_, &effects_);
  }

  // Single tasks, as many calls make them; a class wants an amount of memory of its own.
  void SubmitRound(uint64_t count, uint32_t classes) {
    for (uint64_t i = 0; i < count; ++i) {
      const size_t kind = i % classes;
      if (specs_.size() <= kind) specs_.push_back(MakeSpec(static_cast<int64_t>(kind)));
      core::SubmitTasks submit;
      submit.tasks.push_back({.spec = specs_[kind]});
      core_.Apply(std::move(submit), now_, &effects_);
      if (i % 1000 == 999) Settle();
    }
    Settle();
  }

  TaskSpecPtr MakeSpec(int64_t kind) const {
    auto spec = std::make_shared<TaskSpec>();
    spec->owner = "bench";
    spec->requirements.executor = "command";
    spec->requirements.resources.slots = 1;
    spec->requirements.resources.memory_bytes = 1000 + kind;
    spec->fingerprint = static_cast<uint64_t>(kind) + 1;
    if (!wants_licence_) return spec;
    spec->requirements.resources.named = {{kLicence, 1}};
    spec->limit_key = "user=" + std::to_string(kind);
    spec->limit = 3;
    return spec;
  }

  void EndOne() {
    std::swap(running_[random_() % running_.size()], running_.back());
    const Running ended = running_.back();
    running_.pop_back();
    auto report = std::make_shared<AttemptReport>();
    report->key = ended.key;
    report->end.reason = EndReason::kExited;
    report->started = true;
    report->start_time = report->end_time = now_;
    core::WorkerReports reports{.worker = ended.worker, .session = ended.session};
    reports.results.push_back(std::move(report));
    core_.Apply(std::move(reports), now_, &effects_);
  }

  void Settle() {
    do {
      core_.Turn(now_, &effects_);
      effects_.transaction = {};
      for (core::Effect& effect : std::exchange(effects_.effects, {})) {
        if (const auto* open = std::get_if<core::OpenSession>(&effect)) {
          core_.Apply(core::SessionOpened{open->worker, open->session, Incarnation(1), {}}, now_, &effects_);
        } else if (const auto* assign = std::get_if<core::Assign>(&effect)) {
          running_.push_back({assign->key, assign->worker, assign->session});
        }
      }
    } while (!effects_.effects.empty());
  }

  core::ClusterCore core_;
  const bool wants_licence_;
  core::Effects effects_;
  absl::Time now_ = kNow;
  std::vector<TaskSpecPtr> specs_;
  std::vector<Running> running_;
  std::mt19937_64 random_{1};
  double bytes_a_task_ = 0;
  uint64_t queued_ = 1;
  uint64_t placed_ = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Placements(BalancerKind balancer) {
  FullCluster small(balancer, 10, 1'000, 10), large(balancer, 10'000, 1'000'000, 1'000);
  std::vector<double> small_us, large_us;
  for (int round = 0; round < kRounds; ++round) {
    small_us.push_back(small.OnePlacement());
    large_us.push_back(large.OnePlacement());
  }
  const double few = Median(small_us), many = Median(large_us);
  std::printf("placement,   1000 tasks in 10 classes on 10 workers:         %6.2f us\n", few);
  std::printf("placement,   1000000 tasks in 1000 classes on 10000 workers: %6.2f us, %.2f times as much\n", many, many / few);
  std::printf("             where a word that is in no cache takes:         %6.0f ns\n", WordFromMemory());
  std::printf("memory of a queued task beside its text:                     %6.0f bytes\n", large.bytes_a_task());
  const bool holds = many <= 10 && many <= 4 * few && large.bytes_a_task() <= 600;
  std::printf("at most 10 us, 4 times, 600 bytes: %s\n", holds ? "holds" : "BROKEN");
  return holds ? 0 : 1;
}

int Licences() {
  const uint64_t queued = uint64_t{kRounds} * kPlacements;
  const auto cluster = [=](uint32_t classes) {
    return std::make_unique<FullCluster>(BalancerKind::kLeastLoaded, 10, queued, classes, 1);
  };
  const std::unique_ptr<FullCluster> small = cluster(10), large = cluster(10'000);
  std::vector<double> small_us, large_us;
  for (int round = 0; round < kRounds; ++round) {
    small_us.push_back(small->OnePlacement());
    large_us.push_back(large->OnePlacement());
  }
  const double few = Median(small_us), many = Median(large_us);
  std::printf("placement, 10 classes wait for one licence:     %6.2f us\n", few);
  std::printf("placement, 10000 classes wait for one licence:  %6.2f us, %.2f times as much\n", many, many / few);
  const bool holds = many <= 4 * few;
  std::printf("at most 4 times: %s\n", holds ? "holds" : "BROKEN");
  return holds ? 0 : 1;
}

// Run times as of real clusters: most are short, a few take most of the time. Mean load 0.9.
int Day() {
  constexpr int kArrivals = 1'000'000;
  constexpr uint32_t kWorkers = 1'000;
  std::mt19937_64 random(3);
  std::exponential_distribution<double> between(kArrivals / 86'400.0);
  std::lognormal_distribution<double> run_time(4.615, 1.5);
  simulate::Trace trace;
  for (int kind = 0; kind < 100; ++kind) trace.kinds.push_back({"q" + std::to_string(kind % 10), "u" + std::to_string(kind)});
  absl::Duration at;
  for (int i = 0; i < kArrivals; ++i) {
    at += absl::Seconds(between(random));
    trace.jobs.push_back({at, absl::Seconds(run_time(random)), 1, static_cast<uint32_t>(random() % trace.kinds.size())});
  }
  trace.fleet.assign(kWorkers, kSlots);
  const absl::Time begin = absl::Now();
  const absl::StatusOr<simulate::Outcome> outcome = simulate::RunTrace(trace, {.fleet = trace.fleet});
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  if (!outcome.ok()) return 1;
  const simulate::Figures figures = simulate::FiguresOf(trace, trace.fleet, *outcome);
  std::printf("a day of %d arrivals on %u workers: %.1f s, %.2f us a task; slots in use %.1f %%, mean wait %.3f s\n", kArrivals,
              kWorkers, seconds, 1e6 * seconds / kArrivals, 100 * figures.utilisation, figures.wait.mean);
  std::printf("at most 60 s: %s\n", seconds <= 60 ? "holds" : "BROKEN");
  return seconds <= 60 && figures.jobs == kArrivals ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const what = argc > 1 ? argv[1] : "least_loaded";
  if (std::strcmp(what, "day") == 0) return Day();
  if (std::strcmp(what, "licence") == 0) return Licences();
  const std::optional<BalancerKind> balancer = BalancerNamed(what);
  if (!balancer) std::fprintf(stderr, "%s\n", WhyNoBalancer(what).c_str());
  return balancer ? Placements(*balancer) : 2;
}
