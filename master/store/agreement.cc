#include "master/store/agreement.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"

namespace muster::store {
namespace {

// Whether some specification has this task.
std::string Covered(std::string_view task) {
  return absl::StrReplaceAll(
      "coalesce((SELECT s.first + s.count > TASK FROM specification s WHERE s.first <= TASK ORDER BY s.first DESC "
      "LIMIT 1), 0)",
      {{"TASK", absl::string_view(task.data(), task.size())}});
}

std::vector<AgreementRule> MakeRules() {
  const std::string no_attempt = " WHERE NOT EXISTS (SELECT 1 FROM attempt a WHERE a.key = ";
  return {
      {"specification",
       "SELECT s.first FROM specification s WHERE s.first < (SELECT p.first + p.count FROM specification p "
       "WHERE p.first < s.first ORDER BY p.first DESC LIMIT 1)",
       "another specification has its task too"},
      {"attempt", absl::StrCat("SELECT a.key FROM attempt a WHERE NOT ", Covered("a.key >> 16")),
       "no specification has its task", true},
      {"outcome", absl::StrCat("SELECT o.task FROM outcome o WHERE NOT ", Covered("o.task")),
       "no specification has its task", true},
      {"attempt_end", absl::StrCat("SELECT e.key FROM attempt_end e", no_attempt, "e.key)"), "there is no such attempt"},
      {"unknown_since", absl::StrCat("SELECT u.key FROM unknown_since u", no_attempt, "u.key)"),
       "there is no such attempt"},
      {"output", absl::StrCat("SELECT o.key FROM output o", no_attempt, "o.key >> 1)"), "there is no such attempt"},
      {"outcome", absl::StrCat("SELECT o.task FROM outcome o", no_attempt, "o.task << 16 | o.attempt) AND o.attempt <> 0"),
       "there is no attempt of the number that it names"},
      {"attempt",
       "SELECT a.key FROM attempt a WHERE EXISTS (SELECT 1 FROM attempt b WHERE b.key > a.key AND b.key <= a.key | 65535)"
       " AND NOT EXISTS (SELECT 1 FROM attempt_end e WHERE e.key = a.key)",
       "a later attempt began, and this one has no end"},
      {"attempt",
       "SELECT a.key FROM attempt a JOIN outcome o ON o.task = a.key >> 16 WHERE o.attempt <> a.key & 65535 AND NOT "
       "EXISTS (SELECT 1 FROM attempt_end e WHERE e.key = a.key)",
       "its task ended with another attempt, and this one has no end"},
      {"outcome",
       "SELECT o.task FROM outcome o WHERE EXISTS (SELECT 1 FROM attempt a WHERE a.key > o.task << 16 AND "
       "a.key <= o.task << 16 | 65535 AND a.commit_number > o.commit_number)",
       "an attempt of its task was dispatched after it"},
      {"specification",
       "SELECT s.first FROM specification s WHERE s.first < (SELECT CAST(value AS INTEGER) FROM meta WHERE key = "
       "'open_floor') AND NOT EXISTS (SELECT 1 FROM open_exception e WHERE e.first = s.first) AND (SELECT count(*) FROM "
       "outcome o WHERE o.task >= s.first AND o.task < s.first + s.count) < s.count",
       "it has open tasks, and a start would not find them below the floor"},
  };
}

// Looks rows up by key. A task that no specification has is past retention.
class RowFinder {
 public:
  RowFinder(Database* database, std::vector<Disagreement>* missing) : database_(database), missing_(missing) {}

  void operator()(const activity::AttemptDispatched& event) { Want("attempt", event.key); }
  void operator()(const activity::AttemptEnded& event) { Want("attempt_end", event.key); }
  void operator()(const activity::TaskEnded& event) { Want("outcome", event.key); }
  void operator()(const auto&) {}

  const absl::Status& status() const { return status_; }

 private:
  void Want(std::string_view table, AttemptKey key) {
    if (!status_.ok()) return;
    const int64_t row = table == "outcome" ? static_cast<int64_t>(key.task.value()) : PackKey(key);
    if (Has(SqlFor(table), row) || !IsKept(key.task)) return;
    missing_->push_back({&TableNamed(table), row});
  }

  static const char* SqlFor(std::string_view table) {
    if (table == "outcome") return "SELECT 1 FROM outcome WHERE task = ?";
    return table == "attempt" ? "SELECT 1 FROM attempt WHERE key = ?" : "SELECT 1 FROM attempt_end WHERE key = ?";
  }

  bool Has(const char* sql, int64_t key) {
    Query row(database_, sql);
    row.Bind(1, key);
    const bool found = row.Next();
    if (!row.status().ok()) status_ = row.status();
    return found || !status_.ok();
  }

  bool IsKept(TaskId task) {
    Query part(database_, "SELECT first + count FROM specification WHERE first <= ? ORDER BY first DESC LIMIT 1");
    part.Bind(1, static_cast<int64_t>(task.value()));
    const bool covers = part.Next() && static_cast<uint64_t>(part.Int(0)) > task.value();
    if (!part.status().ok()) status_ = part.status();
    return covers && status_.ok();
  }

  Database* const database_;
  std::vector<Disagreement>* const missing_;
  absl::Status status_;
};

}  // namespace

const std::vector<AgreementRule>& AgreementRules() {
  static const auto* const rules = new std::vector<AgreementRule>(MakeRules());
  return *rules;
}

absl::Status FindBreaches(Database* database, const AgreementRule& rule, const std::function<bool(int64_t key)>& take) {
  std::vector<TaskRange> spared;
  if (rule.spares_purging) {
    MUSTER_ASSIGN_OR_RETURN(spared, ReadRanges(database, kMetaPurging));
  }
  const StoreTable& table = TableNamed(rule.table);
  Query broken(database, rule.sql.c_str());
  while (broken.Next()) {
    const int64_t key = broken.Int(0);
    if (IsAmong(TaskOfKey(table, key), spared)) continue;
    if (!take(key)) return absl::OkStatus();
  }
  return broken.status();
}

absl::StatusOr<std::vector<Disagreement>> MissingRows(Database* database, const std::vector<activity::Record>& records) {
  std::vector<Disagreement> missing;
  RowFinder finder(database, &missing);
  for (const activity::Record& record : records) std::visit(finder, record.event);
  MUSTER_RETURN_IF_ERROR(finder.status());
  return missing;
}

const StoreTable& TableNamed(std::string_view name) {
  const auto& tables = StoreTables();
  const auto found = std::find_if(tables.begin(), tables.end(), [name](const StoreTable& it) { return it.name == name; });
  MUSTER_CHECK(found != tables.end());
  return *found;
}

}  // namespace muster::store
