// A store in memory that does what a test needs: it counts commits, and it can be slow, full, or broken.
//
// Thread rule: any thread. Reads find nothing.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "master/store/store.h"

namespace muster::test {

class FakeStore final : public store::Store {
 public:
  // Runs within each Commit, on the loop's thread, before it is durable. Its status is the commit's.
  void OnCommit(std::function<absl::Status(const core::Transaction&)> hook) {
    absl::MutexLock lock(&mutex_);
    hook_ = std::move(hook);
  }
  // What LowOnRoom and Shortage say; empty: there is room.
  void SetShortage(std::string shortage) {
    absl::MutexLock lock(&mutex_);
    shortage_ = std::move(shortage);
  }
  // Whether maintenance has found something that the next commit would write.
  void SetWantsCommit(bool wants) { wants_commit_ = wants; }
  std::vector<core::Transaction> committed() const {
    absl::MutexLock lock(&mutex_);
    return committed_;
  }

  absl::StatusOr<core::RecoveredState> LoadOpen(absl::Time) override {
    return core::RecoveredState{.cluster_id = "c1", .epoch = Epoch(1)};
  }
  absl::StatusOr<CommitNumber> Commit(const core::Transaction& transaction) override {
    std::function<absl::Status(const core::Transaction&)> hook;
    {
      absl::MutexLock lock(&mutex_);
      hook = hook_;
    }
    if (hook) {
      if (absl::Status status = hook(transaction); !status.ok()) return status;
    }
    absl::MutexLock lock(&mutex_);
    committed_.push_back(transaction);
    return CommitNumber(static_cast<int64_t>(committed_.size()));
  }
  CommitNumber last_commit() const override {
    absl::MutexLock lock(&mutex_);
    return CommitNumber(static_cast<int64_t>(committed_.size()));
  }

  bool WantsCommit() const override { return wants_commit_; }
  bool LowOnRoom() const override { return !Shortage().empty(); }
  std::string Shortage() const override {
    absl::MutexLock lock(&mutex_);
    return shortage_;
  }

  absl::StatusOr<std::optional<store::StoredTask>> FindTask(TaskId) override {
    return std::optional<store::StoredTask>();
  }
  absl::StatusOr<std::vector<store::StoredTask>> ListTasks(const store::TaskQuery&) override {
    return std::vector<store::StoredTask>();
  }
  absl::StatusOr<std::optional<store::StoredBatch>> FindBatch(TaskId) override {
    return std::optional<store::StoredBatch>();
  }
  absl::StatusOr<std::vector<TaskRange>> BatchRanges(TaskId) override { return std::vector<TaskRange>(); }
  absl::StatusOr<std::vector<TaskId>> FindByName(std::string_view, size_t) override { return std::vector<TaskId>(); }
  absl::StatusOr<std::optional<core::RequestRow>> FindRequest(std::string_view, std::string_view) override {
    return std::optional<core::RequestRow>();
  }
  absl::StatusOr<AttemptReportPtr> FindReport(AttemptKey) override { return AttemptReportPtr(); }
  absl::StatusOr<std::vector<TaskId>> RetriedTasks() override { return std::vector<TaskId>(); }
  absl::StatusOr<store::FailureScan> RecentFailures(absl::Time, size_t) override { return store::FailureScan(); }
  absl::StatusOr<std::vector<store::ActivityEntry>> ReadActivity(CommitNumber, absl::Time, size_t) override {
    return std::vector<store::ActivityEntry>();
  }

 private:
  std::atomic<bool> wants_commit_{false};
  mutable absl::Mutex mutex_;
  std::function<absl::Status(const core::Transaction&)> hook_ ABSL_GUARDED_BY(mutex_);
  std::string shortage_ ABSL_GUARDED_BY(mutex_);
  std::vector<core::Transaction> committed_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::test
