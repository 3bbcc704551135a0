#include "master/store/store_check.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/id_text.h"
#include "common/base/status_macros.h"
#include "master/store/activity_packing.h"
#include "master/store/agreement.h"
#include "master/store/header_check.h"
#include "master/store/recovery.h"
#include "master/store/row_reader.h"
#include "master/store/schema.h"
#include "master/store/store_mark.h"
#include "master/store/store_tables.h"
#include "master/store/store_view.h"
#include "master/store/task_reader.h"
#include "master/store/wal_check.h"

namespace muster::store {
namespace {

constexpr char kDatabase[] = "muster.db";
constexpr char kWal[] = "muster.db-wal";
constexpr char kMark[] = "store.mark";

// Damaged text must not reach a terminal as it is.
std::string Printable(std::string text) {
  for (char& letter : text) {
    if (letter < ' ' || letter > '~') letter = '?';
  }
  return text;
}

class StoreChecker {
 public:
  StoreChecker(const std::string& directory, const CheckOptions& options)
      : directory_(directory), path_(directory + "/muster.db"), options_(options) {}

  absl::StatusOr<CheckReport> Run();

 private:
  absl::Status CheckFiles();
  absl::Status CheckContents();
  absl::Status CheckMark();
  absl::Status CheckMeta();
  absl::Status CheckTable(const StoreTable& table);
  absl::Status CheckCommit(const StoreTable& table, const Query& row);
  absl::Status CheckActivity(const Query& row);
  absl::Status CheckAgreement();
  absl::Status CheckDependencies();
  absl::Status CheckPages();
  absl::Status CountTasks();

  bool Full() const { return report_.findings.size() >= options_.most_findings; }
  void Add(Finding finding) {
    finding.row = Printable(finding.row);
    finding.what = Printable(finding.what);
    if (finding.task) report_.damaged_tasks.insert(finding.task);
    if (Full()) {
      report_.stopped_early = true;
    } else {
      report_.findings.push_back(std::move(finding));
    }
  }
  void AddRow(const StoreTable& table, const Query& row, std::string what) {
    Add({kDatabase, table.name, NameOfRow(table, row), TaskOf(table, row), std::move(what)});
  }
  // A failure that means damage becomes a finding; every other one ends the check.
  absl::Status Take(const absl::Status& status, const char* file, const std::string& table = "");

  const std::string directory_;
  const std::string path_;
  const CheckOptions options_;
  CheckReport report_;
  std::optional<StoreView> view_;
  Database* database_ = nullptr;
  int64_t agrees_from_ = 0;
  int64_t last_number_ = 0;  // of the activity rows that were read
  int64_t last_time_ = 0;
};

std::string WithoutPrefix(const absl::Status& status, const std::string& path) {
  absl::string_view text = status.message();
  for (const char* const file : {"-wal", ""}) {
    if (absl::ConsumePrefix(&text, absl::StrCat("store ", path, file, " is damaged: "))) break;
  }
  return std::string(text);
}

absl::Status StoreChecker::Take(const absl::Status& status, const char* file, const std::string& table) {
  if (status.ok() || !absl::IsDataLoss(status)) return status;
  Add({file, table, "", TaskId(), WithoutPrefix(status, path_)});
  return absl::OkStatus();
}

absl::StatusOr<CheckReport> StoreChecker::Run() {
  const StartLock lock(directory_);
  report_.beside_master = lock.beside_master();
  MUSTER_RETURN_IF_ERROR(CheckFiles());
  if (Full()) return std::move(report_);
  absl::StatusOr<StoreView> view = StoreView::Open(directory_);
  MUSTER_RETURN_IF_ERROR(Take(view.status(), kDatabase));
  if (!view.ok()) return std::move(report_);
  view_.emplace(*std::move(view));
  database_ = view_->database();
  MUSTER_RETURN_IF_ERROR(Take(CheckContents(), kDatabase));
  return std::move(report_);
}

absl::Status StoreChecker::CheckFiles() {
  MUSTER_RETURN_IF_ERROR(Take(CheckDatabaseHeader(path_), kDatabase));
  if (report_.beside_master) {
    report_.notes.push_back("a master serves this store: one snapshot was read, and the write-ahead file is in motion");
    return absl::OkStatus();
  }
  const absl::StatusOr<WalFindings> wal = CheckWal(path_ + "-wal");
  if (wal.ok() && wal->torn_frames > 0) {
    report_.notes.push_back(absl::StrCat(kWal, ": a last write of ", wal->torn_frames,
                                         " frames is not whole; it was never acknowledged, and a start drops it"));
  }
  return Take(wal.status(), kWal);
}

absl::Status StoreChecker::CheckContents() {
  if (Full()) return absl::OkStatus();
  std::vector<std::string> changed;
  const absl::Status schema = CheckSchema(database_, &changed);
  if (!schema.ok() && changed.empty()) return schema;
  const absl::StatusOr<int64_t> version = ReadMetaNumber(database_, kMetaSchemaVersion);
  const std::vector<std::string> to_come = TablesSince(version.ok() && *version > 0 ? *version : kSchemaVersion);
  const auto comes = [&to_come](const std::string& name) {
    return std::find(to_come.begin(), to_come.end(), name) != to_come.end();
  };
  if (!to_come.empty()) {
    changed.erase(std::remove_if(changed.begin(), changed.end(), comes), changed.end());
    report_.notes.push_back(absl::StrCat(kDatabase, ": of schema version ", *version, "; the next start adds to it what ",
                                         kSchemaVersion, " has"));
  }
  for (const std::string& name : changed) {
    Add({kDatabase, "sqlite_schema", absl::StrCat("row ", name), TaskId(), "it is not as this version makes it"});
  }
  if (Full()) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(CheckMark());
  MUSTER_RETURN_IF_ERROR(Take(CheckMeta(), kDatabase));
  for (const StoreTable& table : StoreTables()) {
    if (Full()) return absl::OkStatus();
    if (comes(table.name)) continue;
    MUSTER_RETURN_IF_ERROR(Take(CheckTable(table), kDatabase, table.name));
  }
  if (!Full()) MUSTER_RETURN_IF_ERROR(Take(CheckAgreement(), kDatabase));
  if (!Full()) MUSTER_RETURN_IF_ERROR(Take(CheckDependencies(), kDatabase));
  if (!Full()) MUSTER_RETURN_IF_ERROR(Take(CheckPages(), kDatabase));
  return CountTasks();
}

absl::Status StoreChecker::CheckMark() {
  int unreadable = 0;
  const std::optional<StoreMark::Content> mark = ReadStoreMark(directory_, &unreadable);
  if (unreadable > 0) {
    report_.notes.push_back(absl::StrCat(kMark, ": ", unreadable, " of 2 slots cannot be read; the next start writes "
                                         "them anew"));
  }
  if (!mark.has_value()) {
    report_.notes.push_back(absl::StrCat(kMark, ": none; whether the store's end is missing cannot be told"));
    return absl::OkStatus();
  }
  if (mark->sync_failed) {
    report_.notes.push_back(absl::StrCat(kMark, ": a sync has failed; the next start copies the store to a new file"));
  }
  // Beside a master the mark was read after the snapshot was taken, so it may be ahead of it.
  if (report_.beside_master) return absl::OkStatus();
  return Take(CompareWithMark(database_, *mark), kDatabase);
}

absl::Status StoreChecker::CheckMeta() {
  MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database_));
  report_.last_commit = position.number;
  MUSTER_ASSIGN_OR_RETURN(report_.epoch, ReadMetaNumber(database_, kMetaEpoch));
  MUSTER_ASSIGN_OR_RETURN(const auto cluster, ReadMeta(database_, kMetaClusterId));
  report_.cluster_id = cluster.value_or("");
  MUSTER_ASSIGN_OR_RETURN(agrees_from_, ReadMetaNumber(database_, kMetaAgreesFrom));
  MUSTER_ASSIGN_OR_RETURN(const int64_t version, ReadMetaNumber(database_, kMetaSchemaVersion));
  if (version < 1 || version > kSchemaVersion) {
    Add({kDatabase, "meta", "row schema_version", TaskId(),
         absl::StrCat("it is ", version, ", and this muster-master knows ", kSchemaVersion)});
  }
  MUSTER_RETURN_IF_ERROR(ReadRanges(database_, kMetaSkippedIds).status());
  MUSTER_RETURN_IF_ERROR(ReadRanges(database_, kMetaPurging).status());
  MUSTER_RETURN_IF_ERROR(ReadPlacement(database_).status());
  return ReadRanges(database_, kMetaCopiedAttempts).status();
}

absl::Status StoreChecker::CheckTable(const StoreTable& table) {
  uint64_t count = 0;
  absl::Status status;
  {
    Query rows(database_, table.select.c_str());
    while (status.ok() && !Full() && rows.Next()) {
      ++count;
      const std::string damage = WhyDamaged(table, rows);
      if (!damage.empty()) {
        AddRow(table, rows, damage);
      } else {
        status = CheckCommit(table, rows);
      }
    }
    if (status.ok()) status = rows.status();
  }
  report_.rows.emplace_back(table.name, count);
  if (!absl::IsDataLoss(status)) return status;
  Add({kDatabase, table.name, absl::StrCat("after ", count, " rows"), TaskId(), WithoutPrefix(status, path_)});
  return absl::OkStatus();
}

absl::Status StoreChecker::CheckCommit(const StoreTable& table, const Query& row) {
  if (table.name == "activity") return CheckActivity(row);
  if (!table.has_commit) return absl::OkStatus();
  const int64_t commit = row.Int(row.ColumnCount() - 2);
  if (commit < 1 || commit > report_.last_commit.value()) {
    AddRow(table, row, absl::StrCat("its commit ", commit, " is none of this store, which ends at ",
                                    report_.last_commit.value()));
  }
  return absl::OkStatus();
}

absl::Status StoreChecker::CheckActivity(const Query& row) {
  const StoreTable& table = TableNamed("activity");
  const int64_t number = row.Int(0);
  if (last_number_ != 0 && number != last_number_ + 1) {
    AddRow(table, row, absl::StrCat("the commit before it is missing: the one that is there is ", last_number_));
  }
  last_number_ = number;
  if (row.Int(1) < last_time_) AddRow(table, row, "its time is before that of the commit before it");
  last_time_ = row.Int(1);
  if (number < agrees_from_) return absl::OkStatus();
  MUSTER_ASSIGN_OR_RETURN(const auto missing, MissingRows(database_, *UnpackActivity(row.Bytes(2))));
  for (const Disagreement& it : missing) {
    Add({kDatabase, it.table->name, NameOfKey(*it.table, it.key), TaskOfKey(*it.table, it.key),
         absl::StrCat("it is missing, and commit ", number, " of the activity log has it")});
  }
  return absl::OkStatus();
}

absl::Status StoreChecker::CheckAgreement() {
  for (const AgreementRule& rule : AgreementRules()) {
    if (Full()) return absl::OkStatus();
    const StoreTable& table = TableNamed(rule.table);
    MUSTER_RETURN_IF_ERROR(FindBreaches(database_, rule, [&](int64_t key) {
      Add({kDatabase, table.name, NameOfKey(table, key), TaskOfKey(table, key), rule.what});
      return !Full();
    }));
  }
  return absl::OkStatus();
}

// What an open task depends on is kept: a start asks how it ended. A salvage keeps what it can.
absl::Status StoreChecker::CheckDependencies() {
  SpecificationReader reader;
  Query open(database_,
             "SELECT * FROM specification s WHERE (SELECT count(*) FROM outcome o WHERE o.task >= s.first AND "
             "o.task < s.first + s.count) < s.count");
  while (!Full() && open.Next()) {
    if (CommitOf(open).value() < agrees_from_) continue;
    if (!WhyDamaged(TableNamed("specification"), open).empty()) continue;  // told already
    MUSTER_ASSIGN_OR_RETURN(const core::SpecificationRow row, reader.Read(open));
    for (const Dependency& dependency : row.spec->dependencies) {
      MUSTER_ASSIGN_OR_RETURN(const bool is_kept, TaskReader(database_, nullptr).IsKept(dependency.tasks));
      if (is_kept) continue;
      AddRow(TableNamed("specification"), open,
             absl::StrCat("it depends on task ", IdToText(dependency.tasks.first.value()), ", which is not there"));
      break;
    }
  }
  return open.status();
}

// "Tree 9 page 17 cell 3: ..." with the name of that tree.
absl::Status StoreChecker::CheckPages() {
  std::map<std::string, std::string> trees;
  Query roots(database_, "SELECT rootpage, type, name FROM sqlite_master WHERE rootpage > 0");
  while (roots.Next()) {
    const std::string tree = absl::StrCat("Tree ", roots.Int(0), " ");
    trees[tree] = absl::StrCat(tree, "(", std::string(roots.Bytes(1)), " ", std::string(roots.Bytes(2)), ") ");
  }
  MUSTER_RETURN_IF_ERROR(roots.status());
  Query check(database_, "PRAGMA integrity_check(100)");
  while (!Full() && check.Next()) {
    std::string text(check.Bytes(0));
    if (text == "ok") break;
    text = absl::StrReplaceAll(text, {{"*** in database main ***\n", ""}, {"\n", ": "}});
    for (const auto& [tree, name] : trees) {
      if (text.compare(0, tree.size(), tree) == 0) text = name + text.substr(tree.size());
    }
    Add({kDatabase, "", "", TaskId(), text});
  }
  return check.status();
}

absl::Status StoreChecker::CountTasks() {
  Query tasks(database_, "SELECT coalesce(sum(count), 0), (SELECT count(*) FROM outcome) FROM specification");
  if (tasks.Next()) {
    report_.tasks = static_cast<uint64_t>(tasks.Int(0));
    report_.ended_tasks = static_cast<uint64_t>(tasks.Int(1));
  }
  return absl::IsDataLoss(tasks.status()) ? absl::OkStatus() : tasks.status();  // it has been found before
}

}  // namespace

std::string Finding::Line() const {
  std::string line = file;
  if (!table.empty()) absl::StrAppend(&line, ": table ", table);
  if (!row.empty()) absl::StrAppend(&line, table.empty() ? ": " : ", ", row);
  return absl::StrCat(line, ": ", what);
}

absl::StatusOr<CheckReport> CheckStore(const std::string& directory, const CheckOptions& options) {
  return StoreChecker(directory, options).Run();
}

}  // namespace muster::store
