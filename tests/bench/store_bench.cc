// What a durable task costs the store: specification, attempt, outcome and activity, by tasks per commit.
//
//   store_bench [DIRECTORY [TASKS]]
//
// Each figure is the median of five runs on a fresh store, all sizes side by side; the ratios are against one task
// per commit in the same run.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/convert/convert.h"
#include "master/store/sqlite_store.h"
#include "muster/v1/task.pb.h"

namespace {

using namespace muster;

constexpr int kRounds = 5;

TaskSpecPtr MakeSpec() {
  v1::TaskSpec message;
  message.set_executor("noop");
  message.set_owner("bench@localhost");
  message.mutable_command()->add_argv("/usr/bin/some-program");
  for (int i = 0; i < 4; ++i) message.mutable_command()->add_argv("--argument=" + std::to_string(i * 1111));
  auto* variable = message.mutable_command()->add_environment();
  variable->set_name("DATA_DIRECTORY");
  variable->set_value("/srv/data/of/some/length");
  return convert::MakeTaskSpec(message, message.SerializeAsString());
}

// Tasks first .. first+count-1 are accepted and dispatched, those of the commit before end.
core::Transaction MakeTransaction(uint64_t first, uint64_t count, const TaskSpecPtr& spec, absl::Time now) {
  core::Transaction transaction;
  for (uint64_t id = first; id < first + count; ++id) {
    const AttemptKey key{TaskId(id), AttemptNumber(1)};
    core::SpecificationRow specification;
    specification.first = key.task;
    specification.spec = spec;
    specification.created = now;
    transaction.specifications.push_back(std::move(specification));
    transaction.attempts.push_back({key, "worker-1", Incarnation(0x123456789abcdef0), now});
    transaction.activity.push_back({now, activity::TaskAccepted{{key.task, 1}, {}, spec->owner, spec->queue}});
    transaction.activity.push_back({now, activity::AttemptDispatched{key, "worker-1"}});
    if (id <= count) continue;
    const AttemptKey ended{TaskId(id - count), AttemptNumber(1)};
    auto report = std::make_shared<AttemptReport>();
    report->key = ended;
    report->end.reason = EndReason::kExited;
    report->end.usage.wall_time = absl::Microseconds(750);
    report->start_time = report->end_time = now;
    report->started = true;
    core::OutcomeRow outcome;
    outcome.task = ended.task;
    outcome.attempt = ended.number;
    outcome.state = TaskState::kSucceeded;
    outcome.reason = EndReason::kExited;
    outcome.report = std::move(report);
    outcome.ended = now;
    transaction.outcomes.push_back(std::move(outcome));
    transaction.activity.push_back({now, activity::AttemptStarted{ended, "worker-1"}});
    transaction.activity.push_back(
        {now, activity::TaskEnded{ended, TaskState::kSucceeded, EndReason::kExited, 0, ""}});
  }
  return transaction;
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Figures {
  double tasks_per_second = 0;
  double cpu_us_per_task = 0;
  double slowest_commit_ms = 0;
};

Figures RunOnce(const std::string& directory, uint64_t tasks, uint64_t tasks_per_commit) {
  std::filesystem::remove_all(directory);
  store::StoreConfig config;
  config.directory = directory;
  auto store = store::OpenSqliteStore(config);
  if (!store.ok() || !(*store)->LoadOpen(absl::Now()).ok()) {
    std::fprintf(stderr, "store_bench: %s\n", store.status().ToString().c_str());
    std::exit(1);
  }
  const TaskSpecPtr spec = MakeSpec();
  double seconds = 0;
  double cpu = 0;
  double slowest = 0;
  for (uint64_t first = 1; first + tasks_per_commit <= tasks + 1; first += tasks_per_commit) {
    const core::Transaction transaction = MakeTransaction(first, tasks_per_commit, spec, absl::Now());
    const double cpu_before = CpuSeconds();
    const absl::Time before = absl::Now();
    if (const auto commit = (*store)->Commit(transaction); !commit.ok()) {
      std::fprintf(stderr, "store_bench: %s\n", commit.status().ToString().c_str());
      std::exit(1);
    }
    const double took = absl::ToDoubleSeconds(absl::Now() - before);
    seconds += took;
    cpu += CpuSeconds() - cpu_before;
    slowest = std::max(slowest, took);
  }
  const auto count = static_cast<double>(tasks);
  return {count / seconds, cpu / count * 1e6, slowest * 1e3};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::string root = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const uint64_t tasks = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200'000;
  const std::string directory = root + "/muster-store-bench-" + std::to_string(getpid());
  const std::vector<uint64_t> sizes = {1, 16, 256, 1024};
  std::vector<std::vector<Figures>> figures(sizes.size());
  for (int round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < sizes.size(); ++i) {
      // Few commits are enough where each is slow.
      figures[i].push_back(RunOnce(directory, std::min(tasks, sizes[i] * 5000), sizes[i]));
    }
  }
  std::filesystem::remove_all(directory);
  double base = 0;
  std::printf("tasks/commit   tasks/s    ratio   cpu us/task   slowest commit ms\n");
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::vector<double> rates, cpu, slowest;
    for (const Figures& figure : figures[i]) {
      rates.push_back(figure.tasks_per_second);
      cpu.push_back(figure.cpu_us_per_task);
      slowest.push_back(figure.slowest_commit_ms);
    }
    if (i == 0) base = Median(rates);
    std::printf("%12llu %9.0f %8.2f %13.2f %19.1f\n", static_cast<unsigned long long>(sizes[i]), Median(rates),
                Median(rates) / base, Median(cpu), Median(slowest));
  }
  return 0;
}
