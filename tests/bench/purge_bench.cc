// What a purge costs those who commit meanwhile.
//
//   purge_bench [DIRECTORY [FINISHED]]
//
// FINISHED tasks (200,000) are kept; then commits of 64 tasks follow one another, first with nothing to purge and then
// while the retention takes everything but the newest thousand. Both in one run: the ratio is the figure.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "common/convert/convert.h"
#include "master/store/sqlite_store.h"
#include "muster/v1/task.pb.h"

namespace {

using namespace muster;

constexpr uint64_t kTasksPerCommit = 64;
constexpr int kCommits = 2000;

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "purge_bench: %s\n", status.ToString().c_str());
  std::exit(1);
}

class Cluster {
 public:
  explicit Cluster(const std::string& directory) : directory_(directory) {
    v1::TaskSpec message;
    message.mutable_command()->add_argv("/usr/bin/some-program");
    message.mutable_command()->add_argv("--input=/srv/data/of/some/length");
    spec_ = convert::MakeTaskSpec(message, message.SerializeAsString());
  }

  void Open(int64_t newest_kept) {
    store_.reset();
    store::StoreConfig config{.directory = directory_};
    config.retention.tasks.count = newest_kept;
    auto store = store::OpenSqliteStore(config);
    if (!store.ok()) Fail(store.status());
    store_ = *std::move(store);
    if (const auto state = store_->LoadOpen(absl::Now()); !state.ok()) Fail(state.status());
  }

  // One turn of a busy master: as many tasks begin as end.
  double CommitTasks(uint64_t count) {
    core::Transaction transaction;
    for (const uint64_t past = next_ + count; next_ < past; ++next_) {
      const AttemptKey key{TaskId(next_), AttemptNumber(1)};
      core::SpecificationRow row;
      row.first = key.task;
      row.spec = spec_;
      row.created = absl::Now();
      transaction.specifications.push_back(std::move(row));
      transaction.attempts.push_back({key, "worker-1", Incarnation(7), absl::Now()});
      auto report = std::make_shared<AttemptReport>();
      report->key = key;
      report->stdout_output.head = std::string(200, 'x');
      report->stdout_output.total_bytes = 200;
      transaction.outcomes.push_back(
          {key.task, TaskState::kSucceeded, key.number, std::move(report), EndReason::kExited, "", absl::Now()});
    }
    const absl::Time began = absl::Now();
    if (const auto commit = store_->Commit(transaction); !commit.ok()) Fail(commit.status());
    return absl::ToDoubleMilliseconds(absl::Now() - began);
  }
  uint64_t purged() const { return store_->stats().purged_tasks; }

 private:
  const std::string directory_;
  TaskSpecPtr spec_;
  std::unique_ptr<store::Store> store_;
  uint64_t next_ = 1;
};

void Measure(const char* what, Cluster* cluster) {
  const uint64_t before = cluster->purged();
  const absl::Time began = absl::Now();
  std::vector<double> millis;
  for (int i = 0; i < kCommits; ++i) {
    millis.push_back(cluster->CommitTasks(kTasksPerCommit));
    absl::SleepFor(absl::Milliseconds(1));  // the load of a busy master, and not of one that drowns
  }
  std::sort(millis.begin(), millis.end());
  std::printf("%-20s p50 %6.2f ms  p99 %6.2f ms  most %6.2f ms   purged %6.0f tasks/s\n", what, millis[kCommits / 2],
              millis[kCommits * 99 / 100], millis.back(),
              static_cast<double>(cluster->purged() - before) / absl::ToDoubleSeconds(absl::Now() - began));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string root = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  const uint64_t finished = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 200'000;
  const std::string directory = root + "/muster-purge-bench-" + std::to_string(getpid());
  Cluster cluster(directory);
  cluster.Open(int64_t{1} << 40);
  for (uint64_t made = 0; made < finished; made += 4096) cluster.CommitTasks(4096);
  Measure("nothing to purge", &cluster);
  cluster.Open(1000);
  Measure("while purging", &cluster);
  std::filesystem::remove_all(directory);
  return 0;
}
