#include "master/store/sqlite_store.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <random>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "master/store/ballast.h"
#include "master/store/directory_lock.h"
#include "master/store/failure_scan.h"
#include "master/store/header_check.h"
#include "master/store/maintainer.h"
#include "master/store/page_check.h"
#include "master/store/purger.h"
#include "master/store/reader_pool.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"
#include "master/store/scrub.h"
#include "master/store/sqlite_database.h"
#include "master/store/store_mark.h"
#include "master/store/store_repair.h"
#include "master/store/task_reader.h"
#include "master/store/transaction_writer.h"
#include "master/store/waited_for.h"
#include "master/store/workflow_rows.h"
#include "master/store/wal_check.h"

namespace muster::store {
namespace {

// What is written is mostly new: more than this costs memory and, measured by store_bench, gains nothing.
constexpr int kWriterCacheKib = 16 * 1024;
// What a killed master has counted wrong at most.
constexpr int64_t kCommitsPerUsage = 64;
constexpr int64_t kUsageSlack = int64_t{1} << 20;
constexpr absl::Duration kWriterPatience = absl::Seconds(10);  // with SQL tools that hold the write lock

constexpr absl::Duration kPageCheckLimit = absl::Milliseconds(500);

std::function<bool()> EnoughAfter(absl::Duration time) {
  return [until = absl::Now() + time] { return absl::Now() > until; };
}

std::string NewClusterId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) id += absl::StrFormat("%08x", random());
  return id;
}

int64_t FileBytes(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 ? static_cast<int64_t>(file.st_size) : 0;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(StoreConfig config, DirectoryLock lock, StoreMark mark)
      : config_(std::move(config)),
        path_(config_.directory + "/muster.db"),
        lock_(std::move(lock)),
        mark_(std::move(mark)) {}

  absl::Status Open();

  absl::StatusOr<core::RecoveredState> LoadOpen(absl::Time now) override;
  absl::StatusOr<CommitNumber> Commit(const core::Transaction& transaction) override;
  absl::Status Maintain() override {
    MUSTER_RETURN_IF_ERROR(maintainer_->FindFloor());
    MUSTER_RETURN_IF_ERROR(maintainer_->FindPurge());
    return maintainer_->ScrubSome();
  }
  bool WantsCommit() const override { return purger_->has_pending() && !ballast_->low(); }
  absl::Duration MaintenancePause() const override { return purger_->Pause(); }
  absl::StatusOr<PurgeProgress> Purge(const PurgeOrder& order) override;

  absl::StatusOr<std::optional<StoredTask>> FindTask(TaskId id) override {
    return Read([&](TaskReader reader) { return reader.FindTask(id); });
  }
  absl::StatusOr<std::vector<StoredTask>> ListTasks(const TaskQuery& query) override;
  absl::StatusOr<TaskScan> ScanTasks(const TaskQuery& query) override {
    return Read([&](TaskReader reader) { return reader.ScanTasks(query); });
  }
  absl::StatusOr<std::optional<StoredBatch>> FindBatch(TaskId id) override {
    return Read([&](TaskReader reader) { return reader.FindBatch(id); });
  }
  absl::StatusOr<std::vector<TaskRange>> BatchRanges(TaskId id) override {
    return Read([&](TaskReader reader) { return reader.BatchRanges(id); });
  }
  absl::StatusOr<std::vector<TaskId>> FindByName(std::string_view name, size_t limit) override {
    return Read([&](TaskReader reader) { return reader.FindByName(name, limit); });
  }
  absl::StatusOr<std::vector<core::RangeEnds>> FindEnds(const std::vector<core::AskedRange>& ranges) override {
    return Read([&](TaskReader reader) { return reader.FindEnds(ranges); });
  }
  absl::StatusOr<std::optional<StoredWorkflow>> FindWorkflow(TaskId id) override {
    return readers_.Read([&](Database* database) { return store::FindWorkflow(database, id); });
  }
  absl::StatusOr<std::vector<core::RecoveredEnd>> WorkflowEnds(const StoredWorkflow& workflow) override {
    return readers_.Read([&](Database* database) { return store::WorkflowEnds(database, workflow); });
  }
  absl::StatusOr<std::vector<TaskId>> FindWorkflowsByName(std::string_view name, size_t limit) override {
    return readers_.Read([&](Database* database) { return store::FindWorkflowsByName(database, name, limit); });
  }
  absl::StatusOr<std::vector<StoredWorkflow>> ListWorkflows(const WorkflowQuery& query) override {
    return readers_.Read([&](Database* database) { return store::ListWorkflows(database, query); });
  }
  absl::StatusOr<std::vector<EndCounts>> CountEnds(const std::vector<TaskRange>& ranges) override {
    return readers_.Read([&](Database* database) { return store::CountEnds(database, ranges); });
  }
  absl::StatusOr<std::optional<core::RequestRow>> FindRequest(std::string_view owner,
                                                              std::string_view request_id) override {
    return Read([&](TaskReader reader) { return reader.FindRequest(owner, request_id); });
  }
  absl::StatusOr<AttemptReportPtr> FindReport(AttemptKey key) override {
    return Read([&](TaskReader reader) { return reader.FindReport(key); });
  }
  absl::StatusOr<FailureScan> RecentFailures(absl::Time since, size_t limit) override {
    return readers_.Read([&](Database* database) { return ScanFailures(database, since, limit); });
  }
  absl::StatusOr<std::vector<TaskId>> RetriedTasks() override {
    std::vector<TaskId> retried;
    for (TaskId past;;) {  // one read for all could outlast the time that a read has
      MUSTER_ASSIGN_OR_RETURN(past, Read([&](TaskReader reader) { return reader.RetriedTasks(past, &retried); }));
      if (!past) return retried;
    }
  }
  absl::StatusOr<std::vector<ActivityEntry>> ReadActivity(CommitNumber after, absl::Time since,
                                                          size_t limit) override {
    return Read([&](TaskReader reader) { return reader.ReadActivity(after, since, limit); });
  }
  CommitNumber last_commit() const override {
    return CommitNumber(last_commit_.load(std::memory_order_acquire));
  }
  bool LowOnRoom() const override { return ballast_->low(); }
  std::string Shortage() const override { return ballast_->Shortage(); }
  TaskId next_id() const override { return TaskId(next_id_.load(std::memory_order_relaxed)); }
  bool WasSkipped(TaskId id) const override { return IsAmong(id, skipped_ids_); }
  std::string Damage() const override {
    const std::string damage = scrub_.Damage();
    return damage.empty() ? "" : absl::StrCat("store ", path_, ": ", damage);
  }
  StoreStats stats() const override;

 private:
  template <typename Body>
  auto Read(Body body) -> decltype(body(TaskReader(nullptr, nullptr))) {
    return readers_.Read([&](Database* database) { return body(TaskReader(database, &parts_)); });
  }
  absl::Status OpenWriter();
  absl::Status RefuseEmptied(const std::optional<StoreMark::Content>& mark) const;
  absl::Status RefuseBackup();
  StoreMark::Content MarkNow() const {
    return {static_cast<uint64_t>(position_.number.value()), position_.digest, epoch_, false};
  }
  absl::Status StartEpoch(core::RecoveredState* state);
  void NoteWritten(const core::Transaction& transaction, const PurgeStep* purge);

  // Never changes after Open.
  const StoreConfig config_;
  const std::string path_;
  const DirectoryLock lock_;
  uint64_t torn_writes_ = 0;

  // The writer's thread.
  StoreMark mark_;
  std::unique_ptr<Database> database_;
  CommitPosition position_;
  int64_t epoch_ = 0;
  std::unique_ptr<TransactionWriter> writer_;  // after LoadOpen
  std::vector<TaskRange> skipped_ids_;         // set by LoadOpen
  int wal_pages_ = 0;
  int64_t unwritten_usage_ = 0;  // bytes added since it was written

  // Lock themselves.
  ReaderPool readers_;
  PartCache parts_;
  std::atomic<int64_t> last_commit_{0};
  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> refused_commits_{0};
  std::atomic<uint64_t> next_id_{0};
  WaitedFor waited_for_;
  std::unique_ptr<Ballast> ballast_;
  std::unique_ptr<Purger> purger_;
  Scrub scrub_;
  std::unique_ptr<Maintainer> maintainer_;
};

absl::Status SqliteStore::Open() {
  const std::optional<StoreMark::Content> mark = mark_.Read();
  MUSTER_RETURN_IF_ERROR(RefuseEmptied(mark));
  MUSTER_RETURN_IF_ERROR(CheckDatabaseHeader(path_));
  MUSTER_ASSIGN_OR_RETURN(const WalFindings wal, CheckWal(path_ + "-wal"));
  torn_writes_ = wal.torn_frames > 0 ? 1 : 0;
  if (mark.has_value() && mark->sync_failed) MUSTER_RETURN_IF_ERROR(CopyStoreToNewFile(config_.directory));
  MUSTER_RETURN_IF_ERROR(OpenWriter());
  MUSTER_ASSIGN_OR_RETURN(position_, ReadPosition(database_.get()));
  MUSTER_ASSIGN_OR_RETURN(epoch_, ReadMetaNumber(database_.get(), kMetaEpoch));
  if (mark.has_value()) MUSTER_RETURN_IF_ERROR(CompareWithMark(database_.get(), *mark));
  MUSTER_RETURN_IF_ERROR(RefuseBackup());
  mark_.WriteBoth(MarkNow());
  last_commit_.store(position_.number.value(), std::memory_order_release);
  MUSTER_RETURN_IF_ERROR(readers_.Open(path_, config_.reader_count));
  ballast_ = std::make_unique<Ballast>(Ballast::Config{.directory = config_.directory,
                                                       .bytes = config_.ballast_bytes,
                                                       .low_water_bytes = config_.low_water_bytes});
  MaintenanceConfig maintenance;
  purger_ = std::make_unique<Purger>(config_.retention, config_.calendar ? config_.calendar : &absl::Now,
                                     [this](TaskRange range) { return waited_for_.Holds(range); });
  MUSTER_RETURN_IF_ERROR(purger_->Load(database_.get()));
  maintenance.ballast = ballast_.get();
  maintenance.purger = purger_.get();
  maintenance.scrub = &scrub_;
  maintenance.wal_limit_bytes = config_.wal_limit_bytes;
  maintenance.floor_lag = config_.floor_lag;
  MUSTER_ASSIGN_OR_RETURN(maintainer_, Maintainer::Start(path_, maintenance));
  return absl::OkStatus();
}

absl::Status SqliteStore::OpenWriter() {
  Database::Options options;
  options.create = true;
  options.cache_kib = kWriterCacheKib;
  options.busy_timeout = kWriterPatience;
  MUSTER_ASSIGN_OR_RETURN(database_, Database::Open(path_, options));
  {
    MUSTER_ASSIGN_OR_RETURN(auto sql, SqlTransaction::Begin(database_.get(), SqlTransaction::Kind::kWrite));
    MUSTER_RETURN_IF_ERROR(PrepareSchema(database_.get()));
    MUSTER_RETURN_IF_ERROR(sql->Commit());
  }
  MUSTER_RETURN_IF_ERROR(SyncDirectory(config_.directory));
  sqlite3_wal_hook(
      database_->handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteStore*>(self)->wal_pages_ = pages;
        return SQLITE_OK;
      },
      this);
  return absl::OkStatus();
}

// A new store is not made in the place of one that is gone.
absl::Status SqliteStore::RefuseEmptied(const std::optional<StoreMark::Content>& mark) const {
  const bool is_new = FileBytes(path_) == 0 && FileBytes(path_ + "-wal") == 0;
  if (!is_new || !mark.has_value() || (mark->commit == 0 && mark->epoch == 0)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("store ", path_, " is damaged: it is empty or gone, but commit ", mark->commit,
                                          " was durable; bring a backup back with `muster-master restore`"));
}

absl::Status SqliteStore::RefuseBackup() {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<std::string> backup, ReadMeta(database_.get(), kMetaBackup));
  if (!backup.has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "store ", path_, " is a backup, and a master that served it would give its ids and epochs a second time; bring it "
      "back with `muster-master restore ", config_.directory, " DIR` and serve DIR"));
}

absl::StatusOr<core::RecoveredState> SqliteStore::LoadOpen(absl::Time /*now*/) {
  if (writer_ != nullptr) return absl::FailedPreconditionError("the store is loaded already");
  core::RecoveredState state;
  state.last_commit = position_.number;
  MUSTER_ASSIGN_OR_RETURN(const int64_t clean_end, ReadMetaNumber(database_.get(), kMetaCleanEnd));
  state.last_end_clean = clean_end == position_.number.value();
  std::future<absl::Status> pages;
  if (!state.last_end_clean) {
    pages = std::async(std::launch::async, CheckPages, path_, EnoughAfter(kPageCheckLimit));
    MUSTER_RETURN_IF_ERROR(VerifyNewestCommits(database_.get(), position_));
  }
  {
    MUSTER_ASSIGN_OR_RETURN(auto snapshot, SqlTransaction::Begin(database_.get(), SqlTransaction::Kind::kRead));
    MUSTER_RETURN_IF_ERROR(ReadOpenTasks(database_.get(), &state));
  }
  if (pages.valid()) MUSTER_RETURN_IF_ERROR(pages.get());
  MUSTER_RETURN_IF_ERROR(StartEpoch(&state));
  next_id_.store(state.next_id.value(), std::memory_order_relaxed);
  skipped_ids_ = state.skipped_ids;
  waited_for_.Load(state);
  writer_ = std::make_unique<TransactionWriter>(database_.get(), position_);
  return state;
}

absl::Status SqliteStore::StartEpoch(core::RecoveredState* state) {
  MUSTER_ASSIGN_OR_RETURN(auto sql, SqlTransaction::Begin(database_.get(), SqlTransaction::Kind::kWrite));
  MUSTER_ASSIGN_OR_RETURN(std::optional<std::string> cluster_id, ReadMeta(database_.get(), kMetaClusterId));
  if (!cluster_id.has_value()) {
    cluster_id = NewClusterId();
    MUSTER_RETURN_IF_ERROR(WriteMeta(database_.get(), kMetaClusterId, *cluster_id));
  }
  state->cluster_id = *std::move(cluster_id);
  MUSTER_ASSIGN_OR_RETURN(const int64_t epoch, ReadMetaNumber(database_.get(), kMetaEpoch));
  state->epoch = Epoch(epoch + 1);
  MUSTER_RETURN_IF_ERROR(WriteMeta(database_.get(), kMetaEpoch, std::to_string(epoch + 1)));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database_.get(), kMetaCleanEnd, "-1"));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database_.get(), kMetaVersion, config_.version));
  MUSTER_RETURN_IF_ERROR(sql->Commit());
  epoch_ = epoch + 1;
  mark_.WriteBoth(MarkNow());
  return absl::OkStatus();
}

absl::StatusOr<CommitNumber> SqliteStore::Commit(const core::Transaction& transaction) {
  if (writer_ == nullptr) return absl::FailedPreconditionError("the store is not loaded yet");
  const absl::Status maintenance = maintainer_->status();
  if (!maintenance.ok() && !absl::IsResourceExhausted(maintenance)) {
    mark_.NoteFailedSync();
    return maintenance;
  }
  const std::shared_ptr<const FloorAdvance> floor = maintainer_->pending_floor();
  waited_for_.Accepting(transaction);
  std::shared_ptr<const PurgeStep> purge = ballast_->low() ? nullptr : purger_->pending();
  if (purge != nullptr && waited_for_.HoldsAnyOf(*purge)) {
    purger_->Dropped();
    purge = nullptr;
  }
  const Usage usage = purger_->usage();
  SideWrites side{.floor = floor.get(), .purge = purge.get(), .usage = &usage};
  const bool notes_usage = purge != nullptr || transaction.clean_end ||
                           position_.number.value() % kCommitsPerUsage == 0;
  if (!notes_usage) side.usage_slack = kUsageSlack - unwritten_usage_;
  absl::StatusOr<CommitPosition> written = writer_->Write(transaction, side);
  if (absl::IsResourceExhausted(written.status()) && ballast_->LetGo()) written = writer_->Write(transaction, side);
  if (absl::IsResourceExhausted(written.status())) {
    refused_commits_.fetch_add(1, std::memory_order_relaxed);
    return std::move(written).status();
  }
  if (!written.ok()) {
    mark_.NoteFailedSync();
    return std::move(written).status();
  }
  position_ = *written;
  mark_.Write(MarkNow());
  last_commit_.store(position_.number.value(), std::memory_order_release);
  commits_.fetch_add(1, std::memory_order_relaxed);
  if (floor != nullptr) maintainer_->FloorWritten();
  NoteWritten(transaction, purge.get());
  waited_for_.Ended(transaction);
  maintainer_->AfterCommit(wal_pages_);
  return position_.number;
}

void SqliteStore::NoteWritten(const core::Transaction& transaction, const PurgeStep* purge) {
  purger_->Added(writer_->added());
  unwritten_usage_ = writer_->usage_written() ? 0 : unwritten_usage_ + writer_->added().total();
  if (purge != nullptr) purger_->Written(*purge);
  for (const core::SpecificationRow& row : transaction.specifications) {
    next_id_.store(std::max(next_id_.load(std::memory_order_relaxed), row.first.value() + row.count),
                   std::memory_order_relaxed);
  }
}

absl::StatusOr<PurgeProgress> SqliteStore::Purge(const PurgeOrder& order) {
  const auto from = static_cast<int64_t>(order.from.value());
  MUSTER_ASSIGN_OR_RETURN(const PurgeFinding found, readers_.Read([&](Database* database) {
    return purger_->PurgeByHand(database, from, order.ended_before, order.dry_run);
  }));
  return PurgeProgress{found.step.task_count, TaskId(static_cast<uint64_t>(found.next)), found.done};
}

absl::StatusOr<std::vector<StoredTask>> SqliteStore::ListTasks(const TaskQuery& query) {
  TaskQuery rest = query;
  std::vector<StoredTask> tasks;
  while (tasks.size() < query.limit) {
    rest.limit = query.limit - tasks.size();
    MUSTER_ASSIGN_OR_RETURN(TaskScan scan, ScanTasks(rest));
    if (!scan.unreadable.empty()) {  // whoever takes all of them must not miss one
      MUSTER_RETURN_IF_ERROR(FindTask(scan.unreadable.front()).status());
    }
    for (StoredTask& task : scan.tasks) tasks.push_back(std::move(task));
    if (!scan.resume_before) break;
    rest.before = scan.resume_before;
  }
  return tasks;
}

StoreStats SqliteStore::stats() const {
  StoreStats stats;
  stats.commits = commits_.load(std::memory_order_relaxed);
  stats.torn_writes = torn_writes_;
  stats.refused_commits = refused_commits_.load(std::memory_order_relaxed);
  stats.checkpoints = maintainer_->checkpoints();
  stats.wal_limit_waits = maintainer_->limit_waits();
  stats.wal_bytes = maintainer_->wal_bytes();
  stats.database_bytes = FileBytes(path_);
  stats.free_bytes = ballast_->free_bytes();
  stats.ballast_held = ballast_->held();
  const Usage usage = purger_->usage();
  stats.kept_task_bytes = usage.tasks;
  stats.kept_output_bytes = usage.output;
  stats.kept_activity_bytes = usage.activity;
  stats.purged_tasks = purger_->purged_tasks();
  const Scrub::Figures scrub = scrub_.figures();
  stats.scrubbed_rows = scrub.rows;
  stats.scrub_rounds = scrub.rounds;
  stats.damaged_rows = scrub.damaged_rows;
  return stats;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(StoreConfig config) {
  std::error_code error;
  std::filesystem::create_directories(config.directory, error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot make data directory ", config.directory, ": ", error.message()));
  }
  MUSTER_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Take(config.directory));
  MUSTER_ASSIGN_OR_RETURN(StoreMark mark, StoreMark::Open(config.directory));
  auto store = std::make_unique<SqliteStore>(std::move(config), std::move(lock), std::move(mark));
  MUSTER_RETURN_IF_ERROR(store->Open());
  return store;
}

}  // namespace muster::store
