#include "master/store/lost_tail.h"

#include <iterator>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "common/base/status_macros.h"
#include "master/store/packing.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"

namespace muster::store {
namespace {

core::Transaction LostOnes(const core::RecoveredState& state, absl::Time now, const std::string& why) {
  absl::btree_map<TaskId, const core::SpecificationRow*> parts;
  for (const core::TaskGroupPtr& group : state.groups) parts[group->row.first] = &group->row;
  core::Transaction transaction;
  for (const core::RecoveredTask& task : state.tasks) {
    const auto part = parts.upper_bound(task.id);
    if (part == parts.begin() || std::prev(part)->second->spec->on_worker_loss == OnWorkerLoss::kRerun) continue;
    core::OutcomeRow outcome;
    outcome.task = task.id;
    outcome.state = TaskState::kLost;
    const std::vector<core::AttemptRow>& attempts = task.history().attempts;
    if (!attempts.empty()) outcome.attempt = attempts.back().key.number;
    outcome.reason = EndReason::kLost;
    outcome.message = why;
    outcome.ended = now;
    transaction.activity.push_back(
        {now, activity::TaskEnded{{task.id, outcome.attempt}, outcome.state, outcome.reason, 0, why}});
    transaction.outcomes.push_back(std::move(outcome));
  }
  return transaction;
}

}  // namespace

absl::StatusOr<KnownEnd> ReadKnownEnd(Database* database) {
  core::RecoveredState state;
  MUSTER_RETURN_IF_ERROR(ReadNextId(database, &state));
  MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database));
  KnownEnd known;
  MUSTER_ASSIGN_OR_RETURN(known.epoch, ReadMetaNumber(database, kMetaEpoch));
  known.next_id = state.next_id;
  known.attempts = state.copied_attempts;
  known.last_commit = NumberToTime(position.time_ns);
  return known;
}

absl::Status WriteRaised(Database* database, const Raised& raised) {
  if (raised.next_id.value() >= kMaxTaskId) return absl::InternalError("the store has no task ids left");
  MUSTER_ASSIGN_OR_RETURN(std::vector<TaskRange> skipped, ReadRanges(database, kMetaSkippedIds));
  skipped.push_back(raised.skipped);
  const TaskRange attempts{raised.skipped.first, raised.attempts.value()};
  MUSTER_ASSIGN_OR_RETURN(auto sql, SqlTransaction::Begin(database, SqlTransaction::Kind::kWrite));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database, kMetaSkippedIds, FormatRanges(skipped)));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database, kMetaCopiedAttempts, FormatRanges({attempts})));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database, kMetaNextId, std::to_string(raised.next_id.value())));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database, kMetaEpoch, std::to_string(raised.epoch)));
  MUSTER_RETURN_IF_ERROR(WriteMeta(database, kMetaCleanEnd, "-1"));
  return sql->Commit();
}

absl::StatusOr<uint64_t> EndWhatMayHaveRun(Database* database, absl::Time now, const std::string& why) {
  core::RecoveredState state;
  MUSTER_RETURN_IF_ERROR(ReadOpenTasks(database, &state));
  const core::Transaction transaction = LostOnes(state, now, why);
  if (transaction.outcomes.empty()) return uint64_t{0};
  MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database));
  MUSTER_RETURN_IF_ERROR(TransactionWriter(database, position).Write(transaction, {}).status());
  return transaction.outcomes.size();
}

}  // namespace muster::store
