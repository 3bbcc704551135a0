#include "master/store/transaction_writer.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/store/activity_packing.h"
#include "master/store/report_packing.h"
#include "master/store/run_time_packing.h"
#include "master/store/schema.h"
#include "muster/v1/queue.pb.h"

namespace muster::store {
namespace {

constexpr int kMusterCode = 125;
constexpr int kTimedOutCode = 124;

// What a client exits with: the state decides where muster did, the command's end otherwise.
int ExitCodeOf(const core::OutcomeRow& outcome) {
  switch (outcome.state) {
    case TaskState::kSucceeded: return 0;
    case TaskState::kTimedOut: return kTimedOutCode;
    case TaskState::kFailed: return outcome.report == nullptr ? kMusterCode : ExitCodeFor(outcome.report->end);
    default: return kMusterCode;
  }
}

void BindReport(const AttemptReportPtr& report, RowBinder& row) {
  if (report == nullptr) return row.Null();
  std::string& packed = row.Scratch();
  PackReport(*report, &packed);
  row.Blob(packed);
}

bool TooBig(const TaskRange& range) { return range.first.value() + range.count > kMaxTaskId; }

}  // namespace

absl::StatusOr<CommitPosition> TransactionWriter::Write(const core::Transaction& transaction,
                                                        const SideWrites& side) {
  for (const core::SpecificationRow& row : transaction.specifications) {
    if (TooBig({row.first, row.count})) return absl::InternalError("the store has no task ids left");
  }
  CommitPosition next = position_;
  next.number = position_.number.Next();
  RunningDigest digest(position_.digest);
  added_ = {};
  MUSTER_ASSIGN_OR_RETURN(auto sql, SqlTransaction::Begin(database_, SqlTransaction::Kind::kWrite));
  MUSTER_RETURN_IF_ERROR(WriteRows(transaction, next.number.value(), &digest));
  MUSTER_RETURN_IF_ERROR(WriteOutputs(transaction, next.number.value(), &digest));
  MUSTER_RETURN_IF_ERROR(WriteOther(transaction, next.number.value(), &digest));
  MUSTER_RETURN_IF_ERROR(WriteActivity(transaction, &next, digest));
  MUSTER_RETURN_IF_ERROR(WriteSide(side));
  if (transaction.clean_end) {
    MUSTER_RETURN_IF_ERROR(WriteMeta(database_, kMetaCleanEnd, std::to_string(next.number.value())));
  }
  MUSTER_RETURN_IF_ERROR(sql->Commit());
  position_ = next;
  return next;
}

absl::Status TransactionWriter::WriteRows(const core::Transaction& transaction, int64_t commit,
                                          RunningDigest* digest) {
  const auto& specifications = transaction.specifications;
  MUSTER_RETURN_IF_ERROR(
      specifications_.Insert(database_, specifications.size(), digest, [&](size_t i, RowBinder& row) {
        const core::SpecificationRow& it = specifications[i];
        row.Unsigned(it.first.value());
        row.Unsigned(it.count);
        row.IntOrNull(static_cast<int64_t>(it.batch.value()));
        row.IntOrNull(static_cast<int64_t>(it.first_index));
        row.Time(it.created);
        row.IntOrNull(static_cast<int64_t>(it.retry_of.value()));
        row.TextOrNull(it.spec->name);
        it.spec->queue == "default" ? row.Null() : row.Text(it.spec->queue);
        row.TextOrNull(it.spec->owner);
        row.Blob(it.spec->payload);
        added_.tasks += static_cast<int64_t>(it.spec->payload.size() + it.count * kBytesPerTask);
        if (it.rows == nullptr) {
          row.Null();
        } else {
          PackArgumentRows(*it.rows, &row.Scratch());
          row.Blob(row.scratch());
          added_.tasks += static_cast<int64_t>(row.scratch().size());
        }
        row.Int(commit);
      }));
  const auto& attempts = transaction.attempts;
  MUSTER_RETURN_IF_ERROR(attempts_.Insert(database_, attempts.size(), digest, [&](size_t i, RowBinder& row) {
    const core::AttemptRow& it = attempts[i];
    row.Int(PackKey(it.key));
    row.Text(it.worker);
    row.Unsigned(it.incarnation.value());
    row.Time(it.dispatched);
    row.Int(commit);
  }));
  const auto& ends = transaction.attempt_ends;
  MUSTER_RETURN_IF_ERROR(attempt_ends_.Insert(database_, ends.size(), digest, [&](size_t i, RowBinder& row) {
    const core::AttemptEndRow& it = ends[i];
    row.Int(PackKey(it.key));
    row.Int(static_cast<int64_t>(it.reason));
    row.Int(it.used_attempt ? 1 : 0);
    row.Int(it.used_worker_loss ? 1 : 0);
    row.Time(it.ended);
    row.Time(it.retry_at);
    row.TextOrNull(it.message);
    BindReport(it.report, row);
    row.Int(commit);
  }));
  const auto& outcomes = transaction.outcomes;
  return outcomes_.Insert(database_, outcomes.size(), digest, [&](size_t i, RowBinder& row) {
    const core::OutcomeRow& it = outcomes[i];
    row.Unsigned(it.task.value());
    row.Int(static_cast<int64_t>(it.state));
    row.Int(it.attempt.value());
    row.Int(static_cast<int64_t>(it.reason));
    row.Int(ExitCodeOf(it));
    row.Time(it.ended);
    row.TextOrNull(it.message);
    BindReport(it.report, row);
    row.Int(commit);
  });
}

absl::Status TransactionWriter::WriteOutputs(const core::Transaction& transaction, int64_t commit,
                                             RunningDigest* digest) {
  outputs_.clear();
  const auto collect = [this](AttemptKey key, const AttemptReportPtr& report) {
    if (report == nullptr) return;
    for (const bool is_stderr : {false, true}) {
      const RetainedOutput& output = is_stderr ? report->stderr_output : report->stdout_output;
      if (!output.head.empty() || !output.tail.empty()) outputs_.emplace_back(OutputKey(key, is_stderr), &output);
    }
  };
  for (const core::AttemptEndRow& end : transaction.attempt_ends) collect(end.key, end.report);
  for (const core::OutcomeRow& outcome : transaction.outcomes) {
    collect({outcome.task, outcome.attempt}, outcome.report);
  }
  return output_rows_.Insert(database_, outputs_.size(), digest, [&](size_t i, RowBinder& row) {
    row.Int(outputs_[i].first);
    row.Blob(outputs_[i].second->head);
    row.Blob(outputs_[i].second->tail);
    const RetainedOutput& output = *outputs_[i].second;
    added_.output += static_cast<int64_t>(output.head.size() + output.tail.size()) + kBytesPerRow;
    row.Int(commit);
  });
}

absl::Status TransactionWriter::WriteOther(const core::Transaction& transaction, int64_t commit,
                                           RunningDigest* digest) {
  const auto& unknowns = transaction.unknowns;
  MUSTER_RETURN_IF_ERROR(unknowns_.Insert(database_, unknowns.size(), digest, [&](size_t i, RowBinder& row) {
    row.Int(PackKey(unknowns[i].key));
    row.Time(unknowns[i].give_up);
    row.Int(commit);
  }));
  const auto& requests = transaction.requests;
  MUSTER_RETURN_IF_ERROR(requests_.Insert(database_, requests.size(), digest, [&](size_t i, RowBinder& row) {
    const core::RequestRow& it = requests[i];
    row.Text(it.owner);
    row.Text(it.request_id);
    row.Blob({reinterpret_cast<const char*>(it.digest.data()), it.digest.size()});
    PackRanges(it.tasks, &row.Scratch());
    row.Blob(row.scratch());
    row.Unsigned(it.batch.value());
    row.Time(it.time);
    row.Int(commit);
  }));
  const auto& cancels = transaction.cancels;
  MUSTER_RETURN_IF_ERROR(cancels_.Insert(database_, cancels.size(), digest, [&](size_t i, RowBinder& row) {
    const core::CancelRow& it = cancels[i];
    row.Unsigned(it.tasks.first.value());
    row.Unsigned(it.tasks.count);
    row.Text(it.by);
    row.Text(it.reason);
    row.Time(it.time);
    row.Int(commit);
  }));
  const auto& settings = transaction.worker_settings;
  MUSTER_RETURN_IF_ERROR(worker_settings_.Insert(database_, settings.size(), digest, [&](size_t i, RowBinder& row) {
    row.Text(settings[i].name);
    row.Int(settings[i].weight);
    row.Int((settings[i].draining ? kToldToDrain : 0) | (settings[i].quarantined ? kToldQuarantine : 0));
    row.Text(settings[i].reason);
    row.Int(commit);
  }));
  MUSTER_RETURN_IF_ERROR(WriteQueueSettings(transaction.queue_settings, commit, digest));
  MUSTER_RETURN_IF_ERROR(schedules_.Write(database_, transaction.schedules, commit, digest));
  MUSTER_RETURN_IF_ERROR(workflows_.Write(database_, transaction, commit, digest));
  const auto& executors = transaction.executors;
  MUSTER_RETURN_IF_ERROR(executors_.Insert(database_, executors.size(), digest, [&](size_t i, RowBinder& row) {
    row.Text(executors[i].name);
    row.Int(commit);
  }));
  if (transaction.placement) {
    MUSTER_RETURN_IF_ERROR(WriteMeta(database_, kMetaPlacement, ToText(transaction.placement->by_hand)));
  }
  MUSTER_RETURN_IF_ERROR(WriteRunTimes(transaction.run_times, commit, digest));
  const auto& notes = transaction.notes;
  return notes_.Insert(database_, notes.size(), digest, [&](size_t i, RowBinder& row) {
    row.Int(PackKey(notes[i].key));
    row.Text(notes[i].note);
    row.Time(notes[i].time);
    row.Int(commit);
  });
}

absl::Status TransactionWriter::WriteQueueSettings(const std::vector<core::QueueSettingRow>& rows, int64_t commit,
                                                   RunningDigest* digest) {
  std::vector<const core::QueueSettingRow*> queues;  // that anything is set of; the newest of each name
  absl::flat_hash_set<std::string_view> seen;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (!seen.insert(row->name).second) continue;
    if (!row->Empty()) {
      queues.push_back(&*row);
      continue;
    }
    Query remove(database_, "DELETE FROM queue_setting WHERE name = ?");
    remove.Bind(1, row->name);
    MUSTER_RETURN_IF_ERROR(remove.Run());
  }
  return queue_settings_.Insert(database_, queues.size(), digest, [&](size_t i, RowBinder& row) {
    row.Text(queues[i]->name);
    if (queues[i]->by_hand.has_value()) {
      v1::QueueSettings settings;
      convert::ToProto(*queues[i]->by_hand, &settings);
      settings.AppendToString(&row.Scratch());
      row.Blob(row.scratch());
    } else {
      row.Null();
    }
    row.Time(queues[i]->pause.until);
    row.Text(queues[i]->pause.reason);
    row.Int(commit);
  });
}

absl::Status TransactionWriter::WriteRunTimes(const core::RunTimeRows& rows, int64_t commit, RunningDigest* digest) {
  for (const uint64_t fingerprint : rows.dropped) {
    Query remove(database_, "DELETE FROM run_time WHERE fingerprint = ?");
    const std::string key = FingerprintText(fingerprint);
    remove.Bind(1, key);
    MUSTER_RETURN_IF_ERROR(remove.Run());
  }
  std::vector<std::pair<std::string, std::string>> texts(rows.learned.size());  // fingerprint, learned
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i].first = FingerprintText(rows.learned[i].fingerprint);
    PackRunTimes(rows.learned[i], &texts[i].second);
  }
  return run_times_.Insert(database_, texts.size(), digest, [&](size_t i, RowBinder& row) {
    const LearnedRunTimes& it = rows.learned[i];
    row.Text(texts[i].first);
    row.Text(it.command);
    row.Unsigned(it.runs);
    row.Unsigned(it.failures);
    row.Time(it.last);
    row.Blob(texts[i].second);
    row.Int(commit);
  });
}

// Every commit has its row here, so that the newest of them tells where the store ends. Its digest column is of all
// rows before it.
absl::Status TransactionWriter::WriteActivity(const core::Transaction& transaction, CommitPosition* next,
                                              RunningDigest digest) {
  for (const activity::Record& record : transaction.activity) {
    next->time_ns = std::max(next->time_ns, TimeToNumber(record.time));
  }
  activity_.clear();
  PackActivity(transaction.activity, &activity_);
  MUSTER_RETURN_IF_ERROR(activities_.Insert(database_, 1, &digest, [&](size_t, RowBinder& row) {
    row.Int(next->number.value());
    row.Int(next->time_ns);
    row.Blob(activity_);
    row.Unsigned(digest.value());
  }));
  next->digest = digest.value();
  added_.activity += static_cast<int64_t>(activity_.size()) + kBytesPerRow;
  return absl::OkStatus();
}

absl::Status TransactionWriter::WriteSide(const SideWrites& side) {
  if (side.floor != nullptr) MUSTER_RETURN_IF_ERROR(WriteFloor(*side.floor));
  if (side.purge != nullptr) MUSTER_RETURN_IF_ERROR(WritePurge(database_, *side.purge));
  usage_written_ = side.usage != nullptr && added_.total() >= side.usage_slack;
  if (!usage_written_) return absl::OkStatus();
  Usage usage = *side.usage;
  usage += added_;
  if (side.purge != nullptr) {
    const Usage& freed = side.purge->freed;
    usage += Usage{-freed.tasks, -freed.output, -freed.activity};
  }
  return WriteMeta(database_, kMetaUsage, usage.ToText());
}

absl::Status TransactionWriter::WriteFloor(const FloorAdvance& floor) {
  RunningDigest apart;  // maintenance is no part of the history
  MUSTER_RETURN_IF_ERROR(exceptions_.Insert(database_, floor.add.size(), &apart,
                                            [&](size_t i, RowBinder& row) { row.Int(floor.add[i]); }));
  for (const int64_t first : floor.remove) {
    Query remove(database_, "DELETE FROM open_exception WHERE first = ?");
    remove.Bind(1, first);
    MUSTER_RETURN_IF_ERROR(remove.Run());
  }
  return WriteMeta(database_, kMetaOpenFloor, std::to_string(floor.floor.value()));
}

}  // namespace muster::store
