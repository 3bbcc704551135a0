#include "master/store/scrub.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "master/store/activity_packing.h"
#include "master/store/agreement.h"
#include "master/store/schedule_rows.h"
#include "master/store/schema.h"

namespace muster::store {
namespace {

constexpr int kRowsPerStep = 512;  // as the statements say
constexpr int64_t kBytesPerStep = int64_t{4} << 20;
constexpr absl::Duration kBetweenScrubs = absl::Milliseconds(100);
constexpr absl::Duration kBetweenScrubRounds = absl::Seconds(10);
constexpr absl::Duration kScrubLimit = absl::Seconds(1);
constexpr size_t kMostFindings = 100;

struct Walk {
  const char* table;
  const char* sql;
  bool by_key;  // else by place
};
constexpr Walk kWalks[] = {
    {"meta", "SELECT key, value, crc FROM meta LIMIT 512 OFFSET ?", false},
    {"specification", "SELECT * FROM specification WHERE first > ? ORDER BY first LIMIT 512", true},
    {"attempt", "SELECT * FROM attempt WHERE key > ? ORDER BY key LIMIT 512", true},
    {"attempt_end", "SELECT * FROM attempt_end WHERE key > ? ORDER BY key LIMIT 512", true},
    {"outcome", "SELECT * FROM outcome WHERE task > ? ORDER BY task LIMIT 512", true},
    {"output", "SELECT * FROM output WHERE key > ? ORDER BY key LIMIT 512", true},
    {"unknown_since", "SELECT * FROM unknown_since WHERE key > ? ORDER BY key LIMIT 512", true},
    {"request", "SELECT * FROM request LIMIT 512 OFFSET ?", false},
    {"cancel", "SELECT * FROM cancel LIMIT 512 OFFSET ?", false},
    {"worker_setting", "SELECT * FROM worker_setting LIMIT 512 OFFSET ?", false},
    {"queue_setting", "SELECT * FROM queue_setting LIMIT 512 OFFSET ?", false},
    {"run_time", "SELECT * FROM run_time LIMIT 512 OFFSET ?", false},
    {"schedule", "SELECT * FROM schedule LIMIT 512 OFFSET ?", false},
    {"schedule_progress", "SELECT * FROM schedule_progress LIMIT 512 OFFSET ?", false},
    {"workflow", "SELECT * FROM workflow WHERE id > ? ORDER BY id LIMIT 512", true},
    {"workflow_part", "SELECT * FROM workflow_part WHERE first > ? ORDER BY first LIMIT 512", true},
    {"workflow_state", "SELECT * FROM workflow_state WHERE workflow > ? ORDER BY workflow LIMIT 512", true},
    {"executor", "SELECT * FROM executor LIMIT 512 OFFSET ?", false},
    {"note", "SELECT * FROM note LIMIT 512 OFFSET ?", false},
    {"activity", "SELECT * FROM activity WHERE commit_number > ? ORDER BY commit_number LIMIT 512", true},
    {"open_exception", "SELECT * FROM open_exception WHERE first > ? ORDER BY first LIMIT 512", true},
};

// Of what may be big. A byte of activity costs as much time as 64 others: each record of some twenty is looked up.
int64_t BytesOf(std::string_view table, const Query& row) {
  if (table == "specification") return static_cast<int64_t>(row.Bytes(9).size() + row.Bytes(10).size());
  if (table == "schedule") return static_cast<int64_t>(row.Bytes(12).size());
  if (table == "output") return static_cast<int64_t>(row.Bytes(1).size() + row.Bytes(2).size());
  if (table == "activity") return static_cast<int64_t>(row.Bytes(2).size()) * 64;
  return 0;
}

// "store /data/muster.db is damaged: table outcome, row 7: ..." without its beginning.
std::string WithoutPath(const absl::Status& status) {
  constexpr absl::string_view kDamaged = " is damaged: ";
  const absl::string_view text = status.message();
  const size_t at = text.find(kDamaged);
  return std::string(at == absl::string_view::npos ? text : text.substr(at + kDamaged.size()));
}

}  // namespace

absl::Duration Scrub::Rest() const {
  absl::MutexLock lock(&mutex_);
  return std::max(absl::ZeroDuration(), next_step_ - absl::Now());
}

absl::Status Scrub::Step(Database* database) {
  database->SetDeadline(absl::Now() + kScrubLimit);
  const absl::Cleanup no_deadline = [database] { database->SetDeadline(absl::InfiniteFuture()); };
  int seen = 0;
  bool more = false;
  absl::Status status;
  {
    const auto snapshot = SqlTransaction::Begin(database, SqlTransaction::Kind::kRead);
    status = snapshot.ok() ? ReadSome(database, &seen, &more) : snapshot.status();
  }
  if (absl::IsDataLoss(status)) {  // a page that cannot be read: what follows in this table neither
    Note(WithoutPath(status));
    more = false;
    status = absl::OkStatus();
  }
  if (status.ok()) MoveOn(seen, more);
  absl::MutexLock lock(&mutex_);
  next_step_ = std::max(next_step_, absl::Now() + kBetweenScrubs);
  return status;
}

absl::Status Scrub::ReadSome(Database* database, int* seen, bool* more) {
  const Walk& walk = kWalks[table_];
  for (int64_t bytes = 0; bytes < kBytesPerStep && *seen < kRowsPerStep;) {
    Query rows(database, walk.sql, walk.table);
    rows.Bind(1, cursor_);
    bool damaged = false;
    while (bytes < kBytesPerStep && !damaged && *seen < kRowsPerStep) {
      const bool found = rows.Next();
      damaged = absl::IsDataLoss(rows.status()) && rows.HasRow();
      if (!found && !damaged) return rows.status();
      cursor_ = walk.by_key ? rows.Int(0) : cursor_ + 1;
      bytes += BytesOf(walk.table, rows);
      ++*seen;
      if (damaged) {
        Note(WithoutPath(rows.status()));
      } else {
        MUSTER_RETURN_IF_ERROR(Look(database, rows));
      }
    }
  }
  *more = true;
  return absl::OkStatus();
}

// Beyond the checksum: whether it can be read, and whether the rows are there that it speaks of.
absl::Status Scrub::Look(Database* database, const Query& row) {
  const std::string_view table = kWalks[table_].table;
  absl::Status read;
  if (table == "specification") read = specifications_.Read(row).status();
  if (table == "attempt_end") read = ReadAttemptEnd(row).status();
  if (table == "outcome") read = ReadOutcome(row).status();
  if (table == "request") read = ReadRequest(row).status();
  if (table == "schedule") read = ReadSchedule(row).status();
  if (table == "schedule_progress") read = ReadScheduleProgress(row).status();
  if (!read.ok()) Note(WithoutPath(read));
  return table == "activity" ? LookAtActivity(database, row) : absl::OkStatus();
}

absl::Status Scrub::LookAtActivity(Database* database, const Query& row) {
  const int64_t commit = row.Int(0);
  const auto records = UnpackActivity(row.Bytes(2));
  if (!records.has_value()) {
    Note(absl::StrCat("table activity, row ", commit, ": its records cannot be read"));
    return absl::OkStatus();
  }
  MUSTER_ASSIGN_OR_RETURN(const int64_t agrees_from, ReadMetaNumber(database, kMetaAgreesFrom));
  if (commit < agrees_from) return absl::OkStatus();
  MUSTER_ASSIGN_OR_RETURN(const auto missing, MissingRows(database, *records));
  for (const Disagreement& it : missing) {
    Note(absl::StrCat("table ", it.table->name, ", ", NameOfKey(*it.table, it.key), ": commit ", commit,
                      " wrote it, and it is gone"));
  }
  return absl::OkStatus();
}

void Scrub::Note(std::string finding) {
  const auto add = [&finding](std::vector<std::string>* findings) {
    if (findings->size() >= kMostFindings) return;
    if (std::find(findings->begin(), findings->end(), finding) == findings->end()) findings->push_back(finding);
  };
  absl::MutexLock lock(&mutex_);
  add(&found_);
  add(&damage_);
  figures_.damaged_rows = damage_.size();
}

void Scrub::MoveOn(int seen, bool more) {
  absl::MutexLock lock(&mutex_);
  figures_.rows += static_cast<uint64_t>(seen);
  if (more) return;
  cursor_ = 0;
  if (++table_ < std::size(kWalks)) return;
  table_ = 0;
  damage_ = std::exchange(found_, {});
  figures_.damaged_rows = damage_.size();
  ++figures_.rounds;
  next_step_ = absl::Now() + kBetweenScrubRounds;
}

std::string Scrub::Damage() const {
  absl::MutexLock lock(&mutex_);
  return damage_.empty() ? "" : damage_.front();
}

Scrub::Figures Scrub::figures() const {
  absl::MutexLock lock(&mutex_);
  return figures_;
}

}  // namespace muster::store
