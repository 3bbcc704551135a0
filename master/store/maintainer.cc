#include "master/store/maintainer.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "master/store/schema.h"

namespace muster::store {
namespace {

constexpr absl::Duration kIdleRound = absl::Seconds(1);
constexpr absl::Duration kWaitForRoom = absl::Milliseconds(20);
constexpr absl::Duration kStepLimit = absl::Seconds(1);
constexpr int kPagesWorthCopying = 2048;
constexpr int kCommitsPerFloorStep = 64;

constexpr int64_t kTasksPerStep = 65'536;
constexpr int64_t kTasksPerChunk = 4096;
constexpr int64_t kOldAfter = 262'144;  // ids behind the newest
constexpr size_t kChangesPerStep = 512;
constexpr int64_t kFewOpen = 16;        // one of this many

// How many of the tasks first .. past-1 have ended; `ended` walks the outcomes in order.
int64_t CountEnded(Query* ended, bool* has_ended, int64_t first, int64_t past) {
  int64_t count = 0;
  while (*has_ended && ended->Int(0) < past) {
    if (ended->Int(0) >= first) ++count;
    *has_ended = ended->Next();
  }
  return count;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Maintainer>> Maintainer::Start(const std::string& path,
                                                              const MaintenanceConfig& config) {
  MUSTER_ASSIGN_OR_RETURN(auto database, Database::Open(path, {}));
  int page_bytes = 4096;
  {
    Query size(database.get(), "PRAGMA page_size");
    if (size.Next()) page_bytes = static_cast<int>(size.Int(0));
  }
  std::unique_ptr<Maintainer> maintainer(new Maintainer(config, std::move(database), page_bytes));
  maintainer->thread_ = std::thread(&Maintainer::Run, maintainer.get());
  return maintainer;
}

Maintainer::Maintainer(const MaintenanceConfig& config, std::unique_ptr<Database> database, int page_bytes)
    : config_(config),
      page_bytes_(page_bytes),
      limit_pages_(static_cast<int>(std::max<int64_t>(1, config.wal_limit_bytes / page_bytes))),
      database_(std::move(database)),
      next_wait_pages_(limit_pages_) {}

Maintainer::~Maintainer() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Maintainer::AfterCommit(int wal_pages) {
  absl::MutexLock lock(&mutex_);
  if (wal_pages < wal_pages_) {  // the file began anew
    copied_pages_ = 0;
    next_wait_pages_ = limit_pages_;
  }
  wal_pages_ = wal_pages;
  wal_bytes_.store(int64_t{wal_pages} * page_bytes_, std::memory_order_relaxed);
  ++commits_since_floor_;
  if (wal_pages >= next_wait_pages_) WaitForRoom();
}

// While nothing is committed, a round that begins now copies all there is, and the next commit begins the file anew.
void Maintainer::WaitForRoom() {
  limit_waits_.fetch_add(1, std::memory_order_relaxed);
  awaited_round_ = started_round_ + 1;
  mutex_.AwaitWithTimeout(absl::Condition(this, &Maintainer::RoundDone), kWaitForRoom);
  // A reader or a slow disk is in the way: go on, and do not wait again soon.
  next_wait_pages_ = wal_pages_ + std::max(1, limit_pages_ / 4);
}

std::shared_ptr<const FloorAdvance> Maintainer::pending_floor() const {
  absl::MutexLock lock(&mutex_);
  return pending_floor_;
}

void Maintainer::FloorWritten() {
  absl::MutexLock lock(&mutex_);
  pending_floor_ = nullptr;
}

absl::Status Maintainer::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

bool Maintainer::HasWork() const {
  return stopping_ || awaited_round_ > started_round_ || wal_pages_ - copied_pages_ >= kPagesWorthCopying ||
         (commits_since_floor_ >= kCommitsPerFloorStep && pending_floor_ == nullptr);
}

void Maintainer::Run() {
  absl::Time quiet_since = absl::Now();
  while (true) {
    bool copies = false;
    bool moves_floor = false;
    const absl::Duration wait = UntilNextStep();
    {
      absl::MutexLock lock(&mutex_);
      const bool has_work = mutex_.AwaitWithTimeout(absl::Condition(this, &Maintainer::HasWork), wait);
      const bool is_idle = !has_work && absl::Now() - quiet_since >= kIdleRound;
      if (has_work || is_idle) quiet_since = absl::Now();
      if (stopping_) return;
      copies = awaited_round_ > started_round_ || wal_pages_ - copied_pages_ >= kPagesWorthCopying ||
               (is_idle && wal_pages_ > copied_pages_);
      moves_floor = pending_floor_ == nullptr &&
                    commits_since_floor_ >= (is_idle ? 1 : kCommitsPerFloorStep);
    }
    if (config_.ballast != nullptr) config_.ballast->Look();
    if (copies) CopyWal();
    if (config_.purger != nullptr && config_.purger->Rest() <= absl::ZeroDuration()) (void)FindPurge();
    if (config_.scrub != nullptr && config_.scrub->Rest() <= absl::ZeroDuration()) (void)ScrubSome();
    if (moves_floor) (void)FindFloor();  // only postponed when it fails: it reads what every start reads again
  }
}

void Maintainer::CopyWal() {
  {
    absl::MutexLock lock(&mutex_);
    ++started_round_;
  }
  int wal_pages = 0;
  int copied_pages = 0;
  absl::Status status;
  {
    absl::MutexLock lock(&database_mutex_);
    const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &wal_pages,
                                               &copied_pages);
    if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY && (code & 0xff) != SQLITE_LOCKED) {
      status = database_->Error(code, "cannot take over its write-ahead file");
    }
  }
  checkpoints_.fetch_add(1, std::memory_order_relaxed);
  absl::MutexLock lock(&mutex_);
  finished_round_ = started_round_;
  if (status.ok() && wal_pages >= 0) copied_pages_ = std::min(copied_pages, wal_pages_);
  if (status_.ok() || absl::IsResourceExhausted(status_)) status_ = status;
  if (!status.ok()) copied_pages_ = wal_pages_;  // not again at once, but with the next pages
}

absl::Status Maintainer::FindFloor() {
  {
    absl::MutexLock lock(&mutex_);
    commits_since_floor_ = 0;
    if (pending_floor_ != nullptr) return absl::OkStatus();
  }
  absl::StatusOr<std::optional<FloorAdvance>> advance;
  {
    absl::MutexLock lock(&database_mutex_);
    advance = ReadFloorAdvance();
  }
  MUSTER_RETURN_IF_ERROR(advance.status());
  if (!advance->has_value()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  pending_floor_ = std::make_shared<const FloorAdvance>(**std::move(advance));
  return absl::OkStatus();
}

absl::Duration Maintainer::UntilNextStep() const {
  absl::Duration wait = kIdleRound;
  if (config_.purger != nullptr) wait = std::min(wait, config_.purger->Rest());
  if (config_.scrub != nullptr) wait = std::min(wait, config_.scrub->Rest());
  return wait;
}

absl::Status Maintainer::ScrubSome() {
  if (config_.scrub == nullptr) return absl::OkStatus();
  absl::MutexLock lock(&database_mutex_);
  return config_.scrub->Step(database_.get());
}

absl::Status Maintainer::FindPurge() {
  if (config_.purger == nullptr) return absl::OkStatus();
  absl::MutexLock lock(&database_mutex_);
  return config_.purger->FindStep(database_.get());
}

absl::StatusOr<std::optional<FloorAdvance>> Maintainer::ReadFloorAdvance() {
  database_->SetDeadline(absl::Now() + kStepLimit);
  const absl::Cleanup no_deadline = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    database_->SetDeadline(absl::InfiniteFuture());
  };
  MUSTER_ASSIGN_OR_RETURN(auto snapshot, SqlTransaction::Begin(database_.get(), SqlTransaction::Kind::kRead));
  MUSTER_ASSIGN_OR_RETURN(const int64_t floor, ReadMetaNumber(database_.get(), kMetaOpenFloor));
  FloorAdvance advance;
  advance.floor = TaskId(static_cast<uint64_t>(floor));
  MUSTER_RETURN_IF_ERROR(AdvanceFloor(&advance));
  MUSTER_RETURN_IF_ERROR(FindEndedExceptions(&advance));
  if (advance.floor.value() == static_cast<uint64_t>(floor) && advance.remove.empty()) return std::nullopt;
  return advance;
}

// Past what has ended; past stragglers, which become exceptions; past everything that is old.
absl::Status Maintainer::AdvanceFloor(FloorAdvance* advance) {
  int64_t newest = 0;
  {
    Query last(database_.get(), "SELECT max(first) FROM specification");
    if (last.Next()) newest = last.Int(0);
    MUSTER_RETURN_IF_ERROR(last.status());
  }
  const auto floor = static_cast<int64_t>(advance->floor.value());
  Query specifications(database_.get(), "SELECT first, count FROM specification WHERE first >= ? ORDER BY first");
  specifications.Bind(1, floor);
  Query ended(database_.get(), "SELECT task FROM outcome WHERE task >= ? ORDER BY task");
  ended.Bind(1, floor);
  bool has_ended = ended.Next();

  std::vector<int64_t> open;  // since the floor that was found so far
  int64_t open_tasks = 0;
  int64_t tasks = 0;
  int64_t looked_at = 0;
  while (looked_at < kTasksPerStep && advance->add.size() + open.size() < kChangesPerStep && specifications.Next()) {
    const int64_t first = specifications.Int(0);
    const int64_t past = first + specifications.Int(1);
    if (past > newest - static_cast<int64_t>(config_.floor_lag)) break;
    const int64_t still_open = past - first - CountEnded(&ended, &has_ended, first, past);
    if (still_open > 0) open.push_back(first);
    open_tasks += still_open;
    tasks += past - first;
    looked_at += past - first;
    const bool only_stragglers = tasks >= kTasksPerChunk && open_tasks * kFewOpen <= tasks;
    if (!open.empty() && !only_stragglers && newest - first <= kOldAfter) continue;
    advance->add.insert(advance->add.end(), open.begin(), open.end());
    advance->floor = TaskId(static_cast<uint64_t>(past));
    open.clear();
    open_tasks = tasks = 0;
  }
  MUSTER_RETURN_IF_ERROR(specifications.status());
  return ended.status();
}

absl::Status Maintainer::FindEndedExceptions(FloorAdvance* advance) {
  Query exceptions(database_.get(),
                   "SELECT e.first, s.count, (SELECT count(*) FROM outcome WHERE task >= e.first AND "
                   "task < e.first + s.count) FROM open_exception e LEFT JOIN specification s ON s.first = e.first "
                   "WHERE e.first > ? ORDER BY e.first LIMIT 512");
  exceptions.Bind(1, exception_cursor_);
  exception_cursor_ = 0;  // from the start again, unless there are more
  size_t rows = 0;
  while (exceptions.Next()) {
    if (exceptions.Int(2) >= exceptions.Int(1)) advance->remove.push_back(exceptions.Int(0));
    if (++rows == kChangesPerStep) exception_cursor_ = exceptions.Int(0);
  }
  return exceptions.status();
}

}  // namespace muster::store
