#include "master/store/doubts.h"

#include <algorithm>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "master/store/activity_packing.h"
#include "master/store/agreement.h"

namespace muster::store {
namespace {

class DoubtFinder {
 public:
  DoubtFinder(Database* store, DoubtfulTasks* doubts, TaskId* next_id)
      : store_(store), doubts_(*doubts), next_id_(*next_id) {}

  absl::Status FindByRules();
  absl::Status FindByGap(const TableGap& gap);
  absl::Status FindByActivity();

 private:
  absl::Status AddOpenTasks(TaskId first, TaskId last, const std::string& why);

  Database* const store_;
  DoubtfulTasks& doubts_;
  TaskId& next_id_;
};

absl::Status DoubtFinder::FindByRules() {
  for (const AgreementRule& rule : AgreementRules()) {
    const StoreTable& table = TableNamed(rule.table);
    MUSTER_RETURN_IF_ERROR(FindBreaches(store_, rule, [&](int64_t key) {
      doubts_.emplace(TaskOfKey(table, key),
                      absl::StrCat("table ", table.name, ", ", NameOfKey(table, key), ": ", rule.what));
      return true;
    }));
  }
  return absl::OkStatus();
}

// Where history could not be read, a task that seems open may have ended.
absl::Status DoubtFinder::FindByGap(const TableGap& gap) {
  if (!IsHistory(*gap.table)) return absl::OkStatus();
  const std::string why = absl::StrCat("table ", gap.table->name, ": pages cannot be read");
  const TaskId first = std::max(TaskOfKey(*gap.table, gap.keys.first), TaskId(1));
  const TaskId last = TaskOfKey(*gap.table, gap.keys.last);
  Query parts(store_, "SELECT first, count FROM specification WHERE first + count > ? AND first <= ?");
  parts.Bind(1, static_cast<int64_t>(first.value()));
  parts.Bind(2, static_cast<int64_t>(last.value()));
  while (parts.Next()) {
    const TaskId begin(static_cast<uint64_t>(parts.Int(0)));
    const TaskId end(static_cast<uint64_t>(parts.Int(0) + parts.Int(1) - 1));
    MUSTER_RETURN_IF_ERROR(AddOpenTasks(std::max(first, begin), std::min(last, end), why));
  }
  return parts.status();
}

absl::Status DoubtFinder::AddOpenTasks(TaskId first, TaskId last, const std::string& why) {
  for (TaskId id = first; id <= last; id = id.Next()) {
    MUSTER_ASSIGN_OR_RETURN(const bool ended, HasOutcome(store_, id));
    if (!ended) doubts_.emplace(id, why);
  }
  return absl::OkStatus();
}

absl::Status DoubtFinder::FindByActivity() {
  Query rows(store_, "SELECT * FROM activity ORDER BY commit_number", "activity");
  while (rows.Next()) {
    const auto records = UnpackActivity(rows.Bytes(2));
    if (!records.has_value()) continue;
    MUSTER_ASSIGN_OR_RETURN(const auto missing, MissingRows(store_, *records));
    for (const Disagreement& it : missing) {
      doubts_.emplace(TaskOfKey(*it.table, it.key),
                      absl::StrCat("table ", it.table->name, ": commit ", rows.Int(0), " of the activity log has ",
                                   NameOfKey(*it.table, it.key), ", and it is missing"));
    }
    for (const activity::Record& record : *records) {
      const auto* const accepted = std::get_if<activity::TaskAccepted>(&record.event);
      if (accepted == nullptr) continue;
      next_id_ = std::max(next_id_, TaskId(accepted->tasks.first.value() + accepted->tasks.count));
    }
  }
  return rows.status();
}

}  // namespace

bool IsHistory(const StoreTable& table) {
  return table.name == "attempt" || table.name == "attempt_end" || table.name == "outcome" ||
         table.name == "unknown_since";
}

absl::Status FindDoubts(Database* store, const std::vector<TableGap>& gaps, DoubtfulTasks* doubts, TaskId* next_id) {
  DoubtFinder finder(store, doubts, next_id);
  MUSTER_RETURN_IF_ERROR(finder.FindByRules());
  for (const TableGap& gap : gaps) MUSTER_RETURN_IF_ERROR(finder.FindByGap(gap));
  return finder.FindByActivity();
}

absl::StatusOr<bool> HasSpecification(Database* store, TaskId task) {
  Query part(store, "SELECT first + count FROM specification WHERE first <= ? ORDER BY first DESC LIMIT 1");
  part.Bind(1, static_cast<int64_t>(task.value()));
  const bool is_there = part.Next() && static_cast<uint64_t>(part.Int(0)) > task.value();
  MUSTER_RETURN_IF_ERROR(part.status());
  return is_there;
}

absl::StatusOr<bool> HasOutcome(Database* store, TaskId task) {
  Query outcome(store, "SELECT 1 FROM outcome WHERE task = ?");
  outcome.Bind(1, static_cast<int64_t>(task.value()));
  const bool is_there = outcome.Next();
  MUSTER_RETURN_IF_ERROR(outcome.status());
  return is_there;
}

}  // namespace muster::store
