#include "master/store/salvage.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/store/agreement.h"
#include "master/store/damaged_table.h"
#include "master/store/doubts.h"
#include "master/store/header_check.h"
#include "master/store/lost_tail.h"
#include "master/store/packing.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"
#include "master/store/set_aside.h"
#include "master/store/store_copy.h"
#include "master/store/store_mark.h"
#include "master/store/store_repair.h"
#include "master/store/store_tables.h"
#include "master/store/store_view.h"
#include "master/store/table_writer.h"
#include "master/store/transaction_writer.h"
#include "master/store/wal_check.h"

namespace muster::store {
namespace {

constexpr char kEndIsMissing[] = "the end of the store was lost: it may have run since, or run now, and its mode forbids a second copy";

// Made anew by the store itself.
bool IsDerived(const std::string& table) { return table == "open_exception" || table == "meta"; }

class Salvage {
 public:
  Salvage(std::string directory, NewDirectory* target, SetAsideFile aside, absl::Time now)
      : directory_(std::move(directory)), target_(*target), aside_(std::move(aside)), now_(now) {}

  absl::StatusOr<SalvageResult> Run();

 private:
  absl::Status OpenBoth();
  absl::Status CopyTable(const StoreTable& table);
  absl::Status TakeRow(const StoreTable& table, const Query& row);
  void NoteGap(const StoreTable& table, const KeyGap& gap);
  absl::Status CopyMeta();
  absl::Status FillHistory();
  absl::Status AddFiller(int64_t commit, int64_t time_ns);
  absl::Status Settle(TaskId task, const std::string& why);
  absl::Status SetAsideWhere(const StoreTable& table, int64_t first, int64_t last, const std::string& why);
  absl::Status DetachOutcome(TaskId task);
  absl::Status EndAsLost(TaskId task, const std::string& why);
  absl::Status RaiseAndEnd();

  const std::string directory_;
  NewDirectory& target_;
  SetAsideFile aside_;
  const absl::Time now_;
  SalvageResult result_;
  std::optional<StoreMark::Content> mark_;
  bool end_is_missing_ = false;

  std::unique_ptr<Database> damaged_;
  std::unique_ptr<Database> store_;
  DoubtfulTasks doubts_;
  std::vector<TableGap> gaps_;
  int64_t last_commit_ = 0;  // that anything speaks of
  TaskId next_id_{1};
  TableWriter fillers_{"activity (commit_number, time, records, digest, crc)", 5};
  TableWriter outcomes_{
      "outcome (task, state, attempt, reason, exit_code, ended, message, report, commit_number, crc)", 10,
      "INSERT OR REPLACE INTO "};
};

absl::StatusOr<SalvageResult> Salvage::Run() {
  MUSTER_RETURN_IF_ERROR(OpenBoth());
  {
    MUSTER_ASSIGN_OR_RETURN(auto sql, SqlTransaction::Begin(store_.get(), SqlTransaction::Kind::kWrite));
    MUSTER_RETURN_IF_ERROR(PrepareSchema(store_.get()));
    for (const StoreTable& table : StoreTables()) {
      if (!IsDerived(table.name)) MUSTER_RETURN_IF_ERROR(CopyTable(table));
    }
    MUSTER_RETURN_IF_ERROR(CopyMeta());
    MUSTER_RETURN_IF_ERROR(FillHistory());
    MUSTER_RETURN_IF_ERROR(FindDoubts(store_.get(), gaps_, &doubts_, &next_id_));
    for (const auto& [task, why] : doubts_) MUSTER_RETURN_IF_ERROR(Settle(task, why));
    MUSTER_RETURN_IF_ERROR(sql->Commit());
  }
  MUSTER_RETURN_IF_ERROR(RaiseAndEnd());
  result_.set_aside_rows = aside_.rows();
  MUSTER_RETURN_IF_ERROR(aside_.Finish());
  return std::move(result_);
}

// The damaged files are copied first: the header of the copy can be mended, and the original stays as it is.
absl::Status Salvage::OpenBoth() {
  const std::string copy = target_.path() + "/damaged.db";
  std::error_code error;
  std::filesystem::copy_file(directory_ + "/muster.db", copy, error);
  if (error) return absl::InternalError(absl::StrCat("cannot copy ", directory_, "/muster.db: ", error.message()));
  if (std::filesystem::exists(directory_ + "/muster.db-wal")) {
    std::filesystem::copy_file(directory_ + "/muster.db-wal", copy + "-wal", error);
    if (error) return absl::InternalError(absl::StrCat("cannot copy ", directory_, "/muster.db-wal: ", error.message()));
  }
  MUSTER_RETURN_IF_ERROR(MendDatabaseHeader(copy));
  if (const auto wal = CheckWal(copy + "-wal"); !wal.ok()) {
    if (!absl::IsDataLoss(wal.status())) return wal.status();
    end_is_missing_ = true;
    aside_.AddNote("", TaskId(), "muster.db-wal has a damaged frame; what was committed behind it is not taken over");
  }
  MUSTER_ASSIGN_OR_RETURN(damaged_, Database::Open(copy, {.access = LookingAlone(copy)}));
  MUSTER_RETURN_IF_ERROR(damaged_->Execute("BEGIN; SELECT count(*) FROM sqlite_master;"));
  MUSTER_ASSIGN_OR_RETURN(store_, Database::Open(target_.path() + "/muster.db",
                                                 {.access = Database::Access::kCopy, .create = true}));
  mark_ = ReadStoreMark(directory_);
  if (mark_.has_value()) last_commit_ = static_cast<int64_t>(mark_->commit);
  return absl::OkStatus();
}

absl::Status Salvage::CopyTable(const StoreTable& table) {
  // What the first version had not: there may be none.
  if (const auto later = TablesSince(1); std::find(later.begin(), later.end(), table.name) != later.end()) {
    MUSTER_ASSIGN_OR_RETURN(const bool there, HasTable(damaged_.get(), table.name));
    if (!there) return absl::OkStatus();
  }
  const auto take = [&](const Query& row) { return TakeRow(table, row); };
  MUSTER_ASSIGN_OR_RETURN(const std::vector<KeyGap> gaps, ReadPastDamage(damaged_.get(), table, take));
  for (const KeyGap& gap : gaps) NoteGap(table, gap);
  return absl::OkStatus();
}

absl::Status Salvage::TakeRow(const StoreTable& table, const Query& row) {
  const TaskId task = TaskOf(table, row);
  if (const std::string damage = WhyDamaged(table, row); !damage.empty()) {
    aside_.AddRow(table, row, task, damage);
    const std::string why = absl::StrCat("table ", table.name, ": ", damage);
    if (table.name == "specification" && task) result_.gone_tasks.emplace(task, why);
    if (IsHistory(table) && task) doubts_.emplace(task, why);
    return absl::OkStatus();
  }
  if (table.has_commit) last_commit_ = std::max(last_commit_, row.Int(row.ColumnCount() - 2));
  if (table.name == "specification") {
    next_id_ = std::max(next_id_, TaskId(static_cast<uint64_t>(row.Int(0) + row.Int(1))));
  } else if (task) {
    next_id_ = std::max(next_id_, task.Next());
  }
  ++result_.kept_rows[table.name];
  Query insert(store_.get(), table.insert.c_str());
  for (int column = 0; column < row.ColumnCount(); ++column) insert.Copy(column + 1, row, column);
  return insert.Run();
}

void Salvage::NoteGap(const StoreTable& table, const KeyGap& gap) {
  std::string where;
  if (table.has_number_key) {
    where = absl::StrCat(", between ", NameOfKey(table, gap.first), " and ", NameOfKey(table, gap.last));
  }
  aside_.AddNote(table.name, TaskId(), absl::StrCat("pages cannot be read", where));
  gaps_.push_back({&table, gap});
}

absl::Status Salvage::CopyMeta() {
  int64_t epoch = mark_.has_value() ? mark_->epoch : 0;
  std::map<std::string, std::string> values;
  const StoreTable& meta = TableNamed("meta");
  MUSTER_ASSIGN_OR_RETURN(const auto gaps, ReadPastDamage(damaged_.get(), meta, [&](const Query& row) {
    if (const std::string damage = WhyDamaged(meta, row); !damage.empty()) {
      aside_.AddRow(meta, row, TaskId(), damage);
    } else {
      values[std::string(row.Bytes(0))] = std::string(row.Bytes(1));
    }
    return absl::OkStatus();
  }));
  for (const KeyGap& gap : gaps) NoteGap(meta, gap);
  if (const auto placement = values.find(std::string(kMetaPlacement));
      placement != values.end() && !PlacementChangeFrom(placement->second)) {
    aside_.AddNote("meta", TaskId(), absl::StrCat("row placement: \"", placement->second, "\" is none that this muster-master knows"));
    values.erase(placement);
  }
  for (const std::string_view key : {kMetaClusterId, kMetaEpoch, kMetaNextId, kMetaSkippedIds, kMetaCopiedAttempts,
                                     kMetaPurging, kMetaPlacement}) {
    const auto found = values.find(std::string(key));
    if (found != values.end()) MUSTER_RETURN_IF_ERROR(WriteMeta(store_.get(), key, found->second));
  }
  // Without its id it is another cluster: workers stop what they do for the old one.
  result_.is_new_cluster = !values.contains(std::string(kMetaClusterId));
  MUSTER_ASSIGN_OR_RETURN(const int64_t known, ReadMetaNumber(store_.get(), kMetaEpoch));
  epoch = std::max(epoch, known);
  return WriteMeta(store_.get(), kMetaEpoch, std::to_string(epoch));
}

// Every commit has a row in the activity log; those that are missing get an empty one.
absl::Status Salvage::FillHistory() {
  std::vector<std::pair<int64_t, int64_t>> there;  // number, time
  {
    Query rows(store_.get(), "SELECT commit_number, time FROM activity ORDER BY commit_number");
    while (rows.Next()) there.emplace_back(rows.Int(0), rows.Int(1));
    MUSTER_RETURN_IF_ERROR(rows.status());
  }
  const int64_t newest = there.empty() ? 0 : there.back().first;
  end_is_missing_ = end_is_missing_ || last_commit_ > newest;
  // A start looks for this many of the newest; below them a log without its beginning is one that retention shortened.
  int64_t next = std::max<int64_t>(1, last_commit_ - kCommitsToVerify + 1);
  if (!there.empty()) next = std::min(next, there.front().first);
  int64_t time = there.empty() ? TimeToNumber(now_) : there.front().second;
  there.emplace_back(last_commit_ + 1, 0);
  for (const auto& [number, at] : there) {
    if (next < number) {
      aside_.AddNote("activity", TaskId(),
                     absl::StrCat("commits ", next, " to ", number - 1, " are missing; they stay empty"));
    }
    for (; next < number; ++next) MUSTER_RETURN_IF_ERROR(AddFiller(next, time));
    next = number + 1;
    time = std::max(time, at);
  }
  return WriteMeta(store_.get(), kMetaAgreesFrom, std::to_string(last_commit_ + 1));
}

absl::Status Salvage::AddFiller(int64_t commit, int64_t time_ns) {
  RunningDigest apart;
  return fillers_.Insert(store_.get(), 1, &apart, [&](size_t, RowBinder& row) {
    row.Int(commit);
    row.Int(time_ns);
    row.Blob("");
    row.Unsigned(0);
  });
}

// The task's whole history is set aside, but for an outcome that is whole: that one never changes.
absl::Status Salvage::Settle(TaskId task, const std::string& why) {
  if (!task) return absl::OkStatus();
  const int64_t first = PackKey({task, AttemptNumber(0)});
  const int64_t last = PackKey({task, AttemptNumber(0xffff)});
  for (const char* const name : {"attempt", "attempt_end", "unknown_since"}) {
    MUSTER_RETURN_IF_ERROR(SetAsideWhere(TableNamed(name), first, last, why));
  }
  MUSTER_RETURN_IF_ERROR(SetAsideWhere(TableNamed("output"), first * 2, last * 2 + 1, why));
  MUSTER_ASSIGN_OR_RETURN(const bool is_served, HasSpecification(store_.get(), task));
  if (!is_served) {
    const auto id = static_cast<int64_t>(task.value());
    result_.gone_tasks.emplace(task, why);
    return SetAsideWhere(TableNamed("outcome"), id, id, why);
  }
  MUSTER_ASSIGN_OR_RETURN(const bool has_outcome, HasOutcome(store_.get(), task));
  return has_outcome ? DetachOutcome(task) : EndAsLost(task, why);
}

absl::Status Salvage::SetAsideWhere(const StoreTable& table, int64_t first, int64_t last, const std::string& why) {
  {
    Query rows(store_.get(), table.select_up.c_str());
    rows.Bind(1, first);
    rows.Bind(2, last);
    while (rows.Next()) {
      aside_.AddRow(table, rows, TaskOf(table, rows), why);
      --result_.kept_rows[table.name];
    }
    MUSTER_RETURN_IF_ERROR(rows.status());
  }
  Query erase(store_.get(), table.erase.c_str());
  erase.Bind(1, first);
  erase.Bind(2, last);
  return erase.Run();
}

// It names no attempt any more; all else of it stays.
absl::Status Salvage::DetachOutcome(TaskId task) {
  constexpr int kAttemptColumn = 2;
  Query outcome(store_.get(), "SELECT * FROM outcome WHERE task = ?", "outcome");
  outcome.Bind(1, static_cast<int64_t>(task.value()));
  if (!outcome.Next()) return outcome.status();
  RunningDigest apart;
  return outcomes_.Insert(store_.get(), 1, &apart, [&](size_t, RowBinder& row) {
    for (int column = 0; column + 1 < outcome.ColumnCount(); ++column) {
      switch (column == kAttemptColumn ? SQLITE_INTEGER : outcome.Type(column)) {
        case SQLITE_NULL: row.Null(); break;
        case SQLITE_INTEGER: row.Int(column == kAttemptColumn ? 0 : outcome.Int(column)); break;
        case SQLITE_TEXT: row.Text(outcome.Bytes(column)); break;
        default: row.Blob(outcome.Bytes(column));
      }
    }
  });
}

absl::Status Salvage::EndAsLost(TaskId task, const std::string& why) {
  constexpr int kMusterCode = 125;
  const std::string message = absl::StrCat("set aside by salvage, how it ended is not known: ", why);
  result_.lost_tasks.emplace(task, why);
  RunningDigest apart;
  return outcomes_.Insert(store_.get(), 1, &apart, [&](size_t, RowBinder& row) {
    row.Unsigned(task.value());
    row.Int(static_cast<int64_t>(TaskState::kLost));
    row.Int(0);
    row.Int(static_cast<int64_t>(EndReason::kLost));
    row.Int(kMusterCode);
    row.Time(now_);
    row.Text(message);
    row.Null();
    row.Int(std::max<int64_t>(last_commit_, 1));
  });
}

absl::Status Salvage::RaiseAndEnd() {
  MUSTER_ASSIGN_OR_RETURN(KnownEnd known, ReadKnownEnd(store_.get()));
  known.next_id = std::max(known.next_id, next_id_);
  result_.raised = RaisePast(known, now_);
  MUSTER_RETURN_IF_ERROR(WriteRaised(store_.get(), result_.raised));
  if (end_is_missing_) {
    MUSTER_ASSIGN_OR_RETURN(result_.held_tasks, EndWhatMayHaveRun(store_.get(), now_, kEndIsMissing));
  }
  return WriteMarkOf(store_.get(), target_.path());
}

}  // namespace

absl::StatusOr<SalvageResult> SalvageStore(const std::string& directory, const std::string& to, absl::Time now) {
  const StartLock lock(directory);
  if (lock.beside_master()) {
    return absl::FailedPreconditionError(absl::StrCat("a master serves ", directory, "; stop it first"));
  }
  if (!std::filesystem::exists(directory + "/muster.db")) {
    return absl::NotFoundError(absl::StrCat("there is no store in ", directory, ": it has no muster.db"));
  }
  MUSTER_ASSIGN_OR_RETURN(NewDirectory target, NewDirectory::Make(to));
  MUSTER_ASSIGN_OR_RETURN(SetAsideFile aside, SetAsideFile::Make(target.path() + "/" + kSetAsideName));
  MUSTER_ASSIGN_OR_RETURN(SalvageResult result, Salvage(directory, &target, std::move(aside), now).Run());
  for (const char* const file : {"/damaged.db", "/damaged.db-wal"}) std::filesystem::remove(target.path() + file);
  MUSTER_RETURN_IF_ERROR(SyncFile(target.path() + "/muster.db"));
  MUSTER_ASSIGN_OR_RETURN(result.check, CheckStore(target.path(), {.most_findings = 1}));
  MUSTER_RETURN_IF_ERROR(SoundOrFirst(result.check));
  MUSTER_RETURN_IF_ERROR(target.Finish());
  return result;
}

}  // namespace muster::store
