// A store in a directory of its own, and builders for what goes into it.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/convert/convert.h"
#include "master/core/recovered_state.h"
#include "master/store/sqlite_store.h"
#include "muster/v1/task.pb.h"

namespace muster::store {

inline std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(1'700'000'000 + seconds); }

inline TaskSpecPtr MakeSpec(const std::string& name = "", const std::string& queue = "",
                            const std::string& owner = "ann@host") {
  v1::TaskSpec message;
  message.set_name(name);
  message.set_queue(queue);
  message.set_owner(owner);
  message.set_priority(3);
  message.mutable_command()->add_argv("true");
  auto* label = message.add_labels();
  label->set_key("team");
  label->set_value("blue");
  return convert::MakeTaskSpec(message, message.SerializeAsString());
}

inline core::SpecificationRow SingleTask(uint64_t id, TaskSpecPtr spec = MakeSpec()) {
  core::SpecificationRow row;
  row.first = TaskId(id);
  row.spec = std::move(spec);
  row.created = At(0);
  return row;
}

inline core::SpecificationRow BatchPart(uint64_t batch, uint64_t first, uint64_t count, uint64_t first_index = 1) {
  core::SpecificationRow row = SingleTask(first);
  row.count = count;
  row.batch = TaskId(batch);
  row.first_index = first_index;
  auto rows = std::make_shared<ArgumentRows>();
  for (uint64_t i = 0; i < count; ++i) rows->push_back({"value " + std::to_string(first_index + i), "b"});
  row.rows = rows;
  return row;
}

inline AttemptKey Key(uint64_t task, uint32_t number) { return {TaskId(task), AttemptNumber(number)}; }

inline core::AttemptRow Attempt(uint64_t task, uint32_t number, const std::string& worker = "w1") {
  return {Key(task, number), worker, Incarnation(0xF00DF00DF00DF00Dull), At(1)};
}

inline AttemptReportPtr Report(uint64_t task, uint32_t number, const std::string& output = "", int32_t code = 0) {
  auto report = std::make_shared<AttemptReport>();
  report->key = Key(task, number);
  report->end.reason = EndReason::kExited;
  report->end.exit_code = code;
  report->end.message = "in words";
  report->end.usage.user_cpu_time = absl::Milliseconds(7);
  report->end.usage.peak_memory_bytes = 1 << 20;
  report->start_time = At(2);
  report->end_time = At(3) + absl::Nanoseconds(5);
  report->started = true;
  report->stdout_output.head = output;
  report->stdout_output.total_bytes = static_cast<int64_t>(output.size());
  if (!output.empty()) report->stdout_output.sha256 = std::string(32, 'x');
  return report;
}

inline core::OutcomeRow Outcome(uint64_t task, TaskState state = TaskState::kSucceeded, uint32_t attempt = 1,
                                AttemptReportPtr report = nullptr) {
  core::OutcomeRow row;
  row.task = TaskId(task);
  row.state = state;
  row.attempt = AttemptNumber(attempt);
  row.report = std::move(report);
  row.reason = EndReason::kExited;
  row.message = "why";
  row.ended = At(4);
  return row;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "muster-store-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    config_.directory = root_ + "/data";
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(root_);
  }

  // Opens and loads; closes what was open before.
  core::RecoveredState Reopen() {
    store_.reset();
    auto store = OpenSqliteStore(config_);
    EXPECT_TRUE(store.ok()) << store.status();
    if (!store.ok()) return {};
    store_ = *std::move(store);
    auto state = store_->LoadOpen(At(0));
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *std::move(state) : core::RecoveredState{};
  }

  // What opening and loading is refused with.
  absl::Status TryReopen() {
    store_.reset();
    auto store = OpenSqliteStore(config_);
    if (!store.ok()) return store.status();
    return (*store)->LoadOpen(At(0)).status();
  }

  CommitNumber Commit(const core::Transaction& transaction) {
    auto commit = store_->Commit(transaction);
    EXPECT_TRUE(commit.ok()) << commit.status();
    return commit.ok() ? *commit : CommitNumber();
  }

  std::string DatabasePath() const { return config_.directory + "/muster.db"; }

  // As a person with the sqlite3 shell: rows of text, columns joined by '|'.
  std::vector<std::string> Sql(const std::string& sql) {
    std::vector<std::string> rows;
    sqlite3* database = nullptr;
    EXPECT_EQ(sqlite3_open(DatabasePath().c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    sqlite3_exec(
        database, sql.c_str(),
        [](void* to, int columns, char** values, char**) {
          std::string row;
          for (int i = 0; i < columns; ++i) {
            if (i > 0) row += '|';
            row += values[i] == nullptr ? "" : values[i];
          }
          static_cast<std::vector<std::string>*>(to)->push_back(row);
          return 0;
        },
        &rows, &error);
    EXPECT_EQ(error, nullptr) << error;
    sqlite3_free(error);
    sqlite3_close(database);
    return rows;
  }

  std::string root_;
  StoreConfig config_;
  std::unique_ptr<Store> store_;
};

}  // namespace muster::store
