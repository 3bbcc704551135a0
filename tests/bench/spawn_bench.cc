// Commands per second of the command plugin behind its host, against a raw posix_spawn loop with a thread per slot,
// both with captured output, side by side in one run; and no-ops per second.
//
//   spawn_bench [COUNT [SLOTS...]]      prints the ratio for each number of slots; default 2000 and 2 4
//   KILL_TIER=walk, ISOLATION=limited  in another tier than the best, and than plain
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "tests/support/execution/recording_listener.h"

namespace {

using muster::AttemptKey;
using muster::AttemptNumber;
using muster::AttemptReportPtr;
using muster::TaskId;
using muster::execution::AttemptRequest;
using muster::execution::ExecutionHost;
using muster::execution::HostConfig;
using muster::execution::Listener;

constexpr int kRounds = 5;
char* kArguments[] = {const_cast<char*>("/bin/true"), nullptr};
char* kEnvironment[] = {const_cast<char*>("PATH=/usr/bin:/bin"), nullptr};

void Drain(int out, int err) {
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  char buffer[65536];
  for (int open = 2; open > 0;) {
    poll(fds, 2, -1);
    for (pollfd& fd : fds) {
      if (fd.fd < 0 || fd.revents == 0) continue;
      if (read(fd.fd, buffer, sizeof(buffer)) <= 0) {
        close(fd.fd);
        fd.fd = -1;
        --open;
      }
    }
  }
}

void RawOne() {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) abort();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t pid = 0;
  if (posix_spawn(&pid, kArguments[0], &actions, nullptr, kArguments, kEnvironment) != 0) abort();
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  Drain(out[0], err[0]);
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) abort();
}

double RawPerSecond(int count, int slots) {
  std::atomic<int> left{count};
  const absl::Time start = absl::Now();
  std::vector<std::thread> threads;
  for (int i = 0; i < slots; ++i) {
    threads.emplace_back([&left] {
      while (left.fetch_sub(1) > 0) RawOne();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return count / absl::ToDoubleSeconds(absl::Now() - start);
}

const char* TierName() {
  const char* const asked = getenv("ISOLATION");
  return asked == nullptr ? "plain" : asked;
}

muster::plugin::Isolation AskedTier() {
  const std::string_view name = TierName();
  if (name == "limited") return muster::plugin::Isolation::kLimited;
  return name == "strict" ? muster::plugin::Isolation::kStrict : muster::plugin::Isolation::kPlain;
}

// Keeps `slots` attempts running, as a session does that has enough of them waiting.
class Keeper final : public Listener {
 public:
  void OnStarted(AttemptKey, absl::Time) override {}
  void OnOutput(AttemptKey, muster::plugin::Stream, int64_t, std::string, int64_t) override {}
  void OnWorkEnded(AttemptKey, absl::Time) override {}
  void OnEnded(AttemptReportPtr report) override {
    if (report->end.reason != muster::EndReason::kExited || report->end.exit_code != 0) abort();
    if (left_.fetch_sub(1) > 0) Start();
    if (running_.fetch_sub(1) == 1) done_.Notify();
  }
  void OnLog(AttemptKey, absl::Time, muster::plugin::Severity, std::string,
             std::vector<std::pair<std::string, std::string>>) override {}
  void OnOfferChanged() override {}

  double PerSecond(ExecutionHost* host, const std::string& executor, int count, int slots) {
    host_ = host;
    executor_ = executor;
    left_ = count;
    running_ = 1;  // ours, so that it is not done before all are started
    const absl::Time start = absl::Now();
    for (int i = 0; i < slots; ++i) {
      if (left_.fetch_sub(1) > 0) Start();
    }
    if (running_.fetch_sub(1) != 1) done_.Wait();
    return count / absl::ToDoubleSeconds(absl::Now() - start);
  }

 private:
  // One wake-up of one waiter, again and again.
  class Gate {
   public:
    void Notify() {
      absl::MutexLock lock(&mutex_);
      open_ = true;
    }
    void Wait() {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&open_));
      open_ = false;
    }

   private:
    absl::Mutex mutex_;
    bool open_ = false;
  };

  void Start() {
    running_.fetch_add(1);
    AttemptRequest request;
    request.key = {TaskId(next_.fetch_add(1)), AttemptNumber(1)};
    request.request.executor = executor_;
    request.request.attempt = 1;
    if (executor_ == "command") {
      request.request.command.argv = {"/bin/true"};
      request.request.isolation = tier_;
      request.request.command.environment = {{"MUSTER_TASK_ID", "1"}, {"MUSTER_ATTEMPT", "1"}, {"MUSTER_WORKER", "w"}};
    }
    host_->Start(std::move(request));
  }

  const muster::plugin::Isolation tier_ = AskedTier();
  ExecutionHost* host_ = nullptr;
  std::string executor_;
  std::atomic<int> left_{0};
  std::atomic<int> running_{0};
  std::atomic<uint64_t> next_{1};
  Gate done_;
};

// Of this process and its children; says more than the clock where others share the machine.
double CpuMicros() {
  double micros = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    getrusage(who, &usage);
    micros += 1e6 * static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
              static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  }
  return micros;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Each no-op ends inside Start: a loop, or the stack would grow.
double NoopsPerSecond(const HostConfig& config, int count) {
  struct Counter final : Listener {
    void OnStarted(AttemptKey, absl::Time) override {}
    void OnOutput(AttemptKey, muster::plugin::Stream, int64_t, std::string, int64_t) override {}
    void OnWorkEnded(AttemptKey, absl::Time) override {}
    void OnEnded(AttemptReportPtr) override { ++ended; }
    void OnLog(AttemptKey, absl::Time, muster::plugin::Severity, std::string,
               std::vector<std::pair<std::string, std::string>>) override {}
    void OnOfferChanged() override {}
    int ended = 0;
  } counter;
  auto host = ExecutionHost::Create(config, &counter);
  if (!host.ok()) abort();
  const absl::Time start = absl::Now();
  for (int i = 0; i < count; ++i) {
    AttemptRequest request;
    request.key = {TaskId(static_cast<uint64_t>(i) + 1), AttemptNumber(1)};
    request.request.executor = "noop";
    (*host)->Start(std::move(request));
  }
  if (counter.ended != count) abort();
  return count / absl::ToDoubleSeconds(absl::Now() - start);
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's build of Abseil looks for lock cycles unless it is told not to; the daemons tell it, too.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const int count = argc > 1 ? atoi(argv[1]) : 2000;
  std::vector<int> all_slots;
  for (int i = 2; i < argc; ++i) all_slots.push_back(atoi(argv[i]));
  if (all_slots.empty()) all_slots = {2, 4};
  for (const int slots : all_slots) {
    muster::execution::TemporaryDirectory directory;
    HostConfig config;
    config.work_dir = directory.path();
    config.slots = static_cast<uint32_t>(slots);
    if (const char* tier = getenv("KILL_TIER")) config.executors = {{"command", "", {{"kill_tier", tier}}}};
    Keeper keeper;
    auto host = ExecutionHost::Create(config, &keeper);
    if (!host.ok()) {
      fprintf(stderr, "%s\n", std::string(host.status().message()).c_str());
      return 1;
    }
    std::vector<double> raw, ours, ratios, raw_cpu, our_cpu;
    for (int round = 0; round < kRounds; ++round) {
      const double before = CpuMicros();
      raw.push_back(RawPerSecond(count, slots));
      const double between = CpuMicros();
      ours.push_back(keeper.PerSecond(host->get(), "command", count, slots));
      ratios.push_back(ours.back() / raw.back());
      raw_cpu.push_back((between - before) / count);
      our_cpu.push_back((CpuMicros() - between) / count);
    }
    printf("commands: %d slots, kill %s, %s: raw posix_spawn %.0f/s (%.0f us CPU each), ours %.0f/s (%.0f us), ratio %.2f\n",
           slots, (*host)->KillTier().c_str(), TierName(), Median(raw), Median(raw_cpu), Median(ours), Median(our_cpu),
           Median(ratios));
  }
  muster::execution::TemporaryDirectory directory;
  HostConfig config;
  config.work_dir = directory.path();
  printf("no-ops: %.0f/s\n", NoopsPerSecond(config, 200'000));
  return 0;
}
