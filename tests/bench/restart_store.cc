// Stores of the size that a restart is measured with.
//
//   restart_store make DIRECTORY OPEN FINISHED single|equal|batch
//   restart_store load DIRECTORY
//
// `make` writes OPEN tasks that wait and FINISHED ones that ended, the finished ones first (as a busy cluster leaves
// them), with commits of thousands. `single`: one specification each, every command line another; `equal`: one
// specification each, all the same; `batch`: parts of 4096. `load` prints what reading the store and recovering the
// core cost, in seconds.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "absl/time/clock.h"
#include "common/convert/convert.h"
#include "master/core/cluster_core.h"
#include "master/store/sqlite_store.h"
#include "muster/v1/task.pb.h"

namespace {

using namespace muster;

constexpr uint64_t kTasksPerCommit = 16'384;
constexpr uint64_t kTasksPerPart = 4096;

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "restart_store: %s\n", status.ToString().c_str());
  std::exit(1);
}

TaskSpecPtr MakeSpec(const std::string& argument) {
  v1::TaskSpec message;
  message.set_owner("bench@localhost");
  message.mutable_command()->add_argv("/usr/bin/some-program");
  message.mutable_command()->add_argv("--input=/srv/data/of/some/length/" + argument);
  message.mutable_command()->add_argv("--verbose");
  auto* variable = message.mutable_command()->add_environment();
  variable->set_name("DATA_DIRECTORY");
  variable->set_value("/srv/data/of/some/length");
  return convert::MakeTaskSpec(message, message.SerializeAsString());
}

enum class Kind { kSingle, kEqual, kBatch };

class StoreMaker {
 public:
  StoreMaker(store::Store* store, Kind kind) : store_(store), kind_(kind) {}

  void Add(uint64_t count, bool finished) {
    for (const uint64_t past = next_ + count; next_ < past;) {
      if (kind_ == Kind::kBatch) {
        AddPart(std::min(kTasksPerPart, past - next_), finished);
      } else {
        AddSingle(finished);
      }
      if (tasks_ >= kTasksPerCommit) Commit();
    }
    if (tasks_ > 0) Commit();
  }

 private:
  void AddSingle(bool finished) {
    core::SpecificationRow row;
    row.first = TaskId(next_);
    row.spec = kind_ == Kind::kSingle ? MakeSpec(std::to_string(next_)) : same_;
    row.created = absl::Now();
    transaction_.specifications.push_back(std::move(row));
    Took(1, finished);
  }

  void AddPart(uint64_t count, bool finished) {
    core::SpecificationRow row;
    row.batch = TaskId(next_++);
    row.first = TaskId(next_);
    row.count = count;
    row.first_index = 1;
    row.spec = same_;
    auto arguments = std::make_shared<ArgumentRows>();
    for (uint64_t i = 0; i < count; ++i) arguments->push_back({"value-" + std::to_string(next_ + i)});
    row.rows = std::move(arguments);
    row.created = absl::Now();
    transaction_.specifications.push_back(std::move(row));
    Took(count, finished);
  }

  void Took(uint64_t count, bool finished) {
    for (uint64_t id = next_; finished && id < next_ + count; ++id) {
      const AttemptKey key{TaskId(id), AttemptNumber(1)};
      transaction_.attempts.push_back({key, "worker-1", Incarnation(7), absl::Now()});
      transaction_.outcomes.push_back(
          {key.task, TaskState::kSucceeded, key.number, nullptr, EndReason::kExited, "", absl::Now()});
    }
    next_ += count;
    tasks_ += count;
  }

  void Commit() {
    if (const auto commit = store_->Commit(transaction_); !commit.ok()) Fail(commit.status());
    if (const absl::Status floor = store_->Maintain(); !floor.ok()) Fail(floor);
    transaction_ = {};
    tasks_ = 0;
  }

  store::Store* const store_;
  const Kind kind_;
  const TaskSpecPtr same_ = MakeSpec("all-the-same");
  uint64_t next_ = 1;
  uint64_t tasks_ = 0;
  core::Transaction transaction_;
};

int Make(const std::string& directory, uint64_t open, uint64_t finished, const std::string& kind) {
  auto store = store::OpenSqliteStore({.directory = directory});
  if (!store.ok()) Fail(store.status());
  if (const auto state = (*store)->LoadOpen(absl::Now()); !state.ok()) Fail(state.status());
  StoreMaker maker(store->get(), kind == "single" ? Kind::kSingle : kind == "equal" ? Kind::kEqual : Kind::kBatch);
  maker.Add(finished, true);
  maker.Add(open, false);
  return 0;
}

double ResidentMiB() {
  std::ifstream pages("/proc/self/statm");
  uint64_t size = 0, resident = 0;
  pages >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

int Load(const std::string& directory) {
  absl::Time at = absl::Now();
  const auto lap = [&at] {
    const double seconds = absl::ToDoubleSeconds(absl::Now() - at);
    at = absl::Now();
    return seconds;
  };
  auto store = store::OpenSqliteStore({.directory = directory});
  if (!store.ok()) Fail(store.status());
  const double opened = lap();
  auto state = (*store)->LoadOpen(absl::Now());
  if (!state.ok()) Fail(state.status());
  const double loaded = lap();
  const size_t tasks = state->tasks.size();
  core::ClusterCore core(core::CoreConfig(), *std::move(state));
  core::Effects effects;
  core.Start(absl::Now(), &effects);
  const double recovered = lap();
  std::printf("open_tasks %zu open_s %.2f load_s %.2f recover_s %.2f resident_mib %.0f\n", tasks, opened, loaded,
              recovered, ResidentMiB());
  std::fflush(stdout);
  _exit(0);  // as a master ends: nothing is taken apart piece by piece
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::strcmp(argv[1], "make") == 0) {
    return Make(argv[2], std::strtoull(argv[3], nullptr, 10), std::strtoull(argv[4], nullptr, 10), argv[5]);
  }
  if (argc == 3 && std::strcmp(argv[1], "load") == 0) return Load(argv[2]);
  std::fprintf(stderr, "usage: restart_store make DIRECTORY OPEN FINISHED single|equal|batch | load DIRECTORY\n");
  return 2;
}
