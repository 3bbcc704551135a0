#include "master/store/workflow_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/core/recovered_workflows.h"
#include "master/core/workflow_table.h"
#include "master/store/packing.h"
#include "master/store/report_packing.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"
#include "muster/v1/workflow.pb.h"

namespace muster::store {
namespace {

TaskId IdAt(const Query& row, int column) { return TaskId(static_cast<uint64_t>(row.Int(column))); }
absl::Time TimeIn(const Query& row, int column) {
  return row.IsNull(column) ? absl::InfinitePast() : NumberToTime(row.Int(column));
}

void PackNodeTasks(const std::vector<NodeTasks>& tasks, std::string* out) {
  Packer packer(out);
  for (const NodeTasks& made : tasks) {
    packer(made.node);
    packer(made.tasks);
    packer(made.batch);
    packer(static_cast<uint64_t>(made.replaces.size()));
    for (const TaskId replaced : made.replaces) packer(replaced);
  }
}

std::optional<std::vector<NodeTasks>> UnpackNodeTasks(std::string_view bytes) {
  std::vector<NodeTasks> tasks;
  Unpacker unpacker(bytes);
  while (!unpacker.done()) {
    NodeTasks& made = tasks.emplace_back();
    unpacker(made.node);
    unpacker(made.tasks);
    unpacker(made.batch);
    const uint64_t replaced = unpacker.Unsigned();
    if (replaced > bytes.size()) return std::nullopt;
    for (uint64_t i = 0; i < replaced && unpacker.ok(); ++i) unpacker(made.replaces.emplace_back());
  }
  if (!unpacker.ok() || tasks.empty()) return std::nullopt;
  return tasks;
}

void PackTally(const core::WorkflowTally& tally, std::string* out) {
  Packer packer(out);
  packer(tally.skipped);
  for (const uint64_t count : tally.by_state) packer(count);
  packer(tally.retries);
}

bool UnpackTally(std::string_view bytes, core::WorkflowTally* tally) {
  Unpacker unpacker(bytes);
  unpacker(tally->skipped);
  for (uint64_t& count : tally->by_state) unpacker(count);
  if (!unpacker.done()) unpacker(tally->retries);
  return unpacker.ok();
}

absl::StatusOr<std::vector<core::WorkflowPartRow>> ReadParts(Database* database, const core::WorkflowRow& workflow) {
  std::vector<core::WorkflowPartRow> parts;
  Query rows(database, "SELECT * FROM workflow_part WHERE workflow = ? ORDER BY first", "workflow_part");
  rows.Bind(1, static_cast<int64_t>(workflow.id.value()));
  while (rows.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::WorkflowPartRow part, ReadWorkflowPart(rows));
    for (const NodeTasks& made : part.tasks) {
      if (made.node >= workflow.spec->nodes.size()) return rows.Damaged("it speaks of a node that its workflow does not have");
    }
    parts.push_back(std::move(part));
  }
  MUSTER_RETURN_IF_ERROR(rows.status());
  return parts;
}

absl::StatusOr<std::optional<core::WorkflowStateRow>> ReadState(Database* database, TaskId id) {
  Query row(database, "SELECT * FROM workflow_state WHERE workflow = ?", "workflow_state");
  row.Bind(1, static_cast<int64_t>(id.value()));
  if (!row.Next()) {
    MUSTER_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  MUSTER_ASSIGN_OR_RETURN(core::WorkflowStateRow state, ReadWorkflowState(row));
  return state;
}

absl::Status ReadEnds(Database* database, const core::WorkflowRow& workflow, const std::vector<core::WorkflowPartRow>& parts,
                      std::vector<core::RecoveredEnd>* found) {
  for (const auto& [node, tasks] : core::CurrentTasks(*workflow.spec, parts)) {
    const NodeValues* const values = workflow.spec->nodes[node].values.get();
    const bool has_outputs = values != nullptr && !values->outputs.empty();
    Query ends(database, has_outputs ? "SELECT task, state, reason, message, report FROM outcome WHERE task >= ? AND task < ?"
                                     : "SELECT task, state, reason, message FROM outcome WHERE task >= ? AND task < ?");
    ends.Bind(1, static_cast<int64_t>(tasks.first.value()));
    ends.Bind(2, static_cast<int64_t>(tasks.first.value() + tasks.count));
    while (ends.Next()) {
      if (!IsTerminal(static_cast<TaskState>(ends.Int(1)))) return ends.Damaged("it is no end");
      core::RecoveredEnd& end = found->emplace_back(
          core::RecoveredEnd{IdAt(ends, 0), node, static_cast<TaskState>(ends.Int(1)), static_cast<EndReason>(ends.Int(2))});
      if (core::BrokeAtValue(end.state, end.reason)) end.message = std::string(ends.Bytes(3));
      if (!has_outputs || ends.IsNull(4)) continue;
      const auto report = UnpackReport(ends.Bytes(4), {end.task, AttemptNumber()});
      if (report == nullptr) return ends.Damaged("its report cannot be read");
      end.outputs = report->outputs;
    }
    MUSTER_RETURN_IF_ERROR(ends.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredWorkflow> ReadWhole(Database* database, core::WorkflowRow row, bool with_parts) {
  StoredWorkflow stored;
  if (with_parts) {
    MUSTER_ASSIGN_OR_RETURN(stored.parts, ReadParts(database, row));
  }
  MUSTER_ASSIGN_OR_RETURN(const auto state, ReadState(database, row.id));
  if (state.has_value()) stored.state = *state;
  stored.row = std::move(row);
  return stored;
}

}  // namespace

absl::Status WorkflowWriter::Write(Database* database, const core::Transaction& transaction, int64_t commit,
                                   RunningDigest* digest) {
  const auto& workflows = transaction.workflows;
  MUSTER_RETURN_IF_ERROR(workflows_.Insert(database, workflows.size(), digest, [&](size_t i, RowBinder& row) {
    const core::WorkflowRow& it = workflows[i];
    row.Unsigned(it.id.value());
    row.TextOrNull(it.spec->name);
    row.TextOrNull(it.spec->owner);
    row.Time(it.created);
    row.Blob(it.spec->payload);
    row.Int(commit);
  }));
  const auto& parts = transaction.workflow_parts;
  MUSTER_RETURN_IF_ERROR(parts_.Insert(database, parts.size(), digest, [&](size_t i, RowBinder& row) {
    const core::WorkflowPartRow& it = parts[i];
    row.Unsigned(it.tasks.front().tasks.first.value());
    row.Unsigned(it.workflow.value());
    row.Time(it.created);
    PackNodeTasks(it.tasks, &row.Scratch());
    row.Blob(row.scratch());
    row.Int(commit);
  }));
  const auto& states = transaction.workflow_states;
  return states_.Insert(database, states.size(), digest, [&](size_t i, RowBinder& row) {
    const core::WorkflowStateRow& it = states[i];
    row.Unsigned(it.workflow.value());
    row.Int(static_cast<int64_t>(it.state));
    row.Time(it.started);
    row.Time(it.ended);
    row.Text(it.cancelled_by);
    row.Text(it.reason);
    PackTally(it.tally, &row.Scratch());
    row.Blob(row.scratch());
    row.Int(commit);
  });
}

absl::StatusOr<core::WorkflowRow> ReadWorkflow(const Query& row) {
  v1::WorkflowSpec message;
  const std::string_view payload = row.Bytes(4);
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return row.Damaged("its specification cannot be read");
  }
  return core::WorkflowRow{IdAt(row, 0), convert::MakeWorkflowSpec(message, std::string(row.Bytes(2)), std::string(payload)),
                           TimeIn(row, 3)};
}

absl::StatusOr<core::WorkflowPartRow> ReadWorkflowPart(const Query& row) {
  std::optional<std::vector<NodeTasks>> tasks = UnpackNodeTasks(row.Bytes(3));
  if (!tasks.has_value()) return row.Damaged("its tasks cannot be read");
  return core::WorkflowPartRow{IdAt(row, 1), *std::move(tasks), TimeIn(row, 2)};
}

absl::StatusOr<core::WorkflowStateRow> ReadWorkflowState(const Query& row) {
  const auto state = static_cast<WorkflowState>(row.Int(1));
  if (row.Int(1) < 1 || row.Int(1) > static_cast<int64_t>(WorkflowState::kCancelled)) return row.Damaged("it has no such state");
  core::WorkflowStateRow result{IdAt(row, 0), state, TimeIn(row, 2), TimeIn(row, 3), std::string(row.Bytes(4)), std::string(row.Bytes(5))};
  if (!UnpackTally(row.Bytes(6), &result.tally)) return row.Damaged("its counts cannot be read");
  return result;
}

absl::StatusOr<std::vector<core::RecoveredWorkflow>> ReadOpenWorkflows(Database* database) {
  std::vector<core::RecoveredWorkflow> open;
  Query states(database, "SELECT * FROM workflow_state WHERE state < 3 ORDER BY workflow", "workflow_state");
  while (states.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::WorkflowStateRow state, ReadWorkflowState(states));
    open.emplace_back().state = std::move(state);
  }
  MUSTER_RETURN_IF_ERROR(states.status());
  MUSTER_ASSIGN_OR_RETURN(const int64_t salvaged, ReadMetaNumber(database, kMetaAgreesFrom));
  for (core::RecoveredWorkflow& workflow : open) {
    Query row(database, "SELECT * FROM workflow WHERE id = ?", "workflow");
    row.Bind(1, static_cast<int64_t>(workflow.state.workflow.value()));
    if (!row.Next()) {
      MUSTER_RETURN_IF_ERROR(row.status());
      if (salvaged > 0) continue;
      return absl::DataLossError(absl::StrCat("store ", database->path(), " is damaged: table workflow, row ",
                                              workflow.state.workflow.value(), ": missing, though it has a state"));
    }
    MUSTER_ASSIGN_OR_RETURN(workflow.row, ReadWorkflow(row));
    MUSTER_ASSIGN_OR_RETURN(workflow.parts, ReadParts(database, workflow.row));
    MUSTER_RETURN_IF_ERROR(ReadEnds(database, workflow.row, workflow.parts, &workflow.ends));
  }
  std::erase_if(open, [](const core::RecoveredWorkflow& workflow) { return workflow.row.spec == nullptr || workflow.parts.empty(); });
  return open;
}

absl::StatusOr<std::optional<StoredWorkflow>> FindWorkflow(Database* database, TaskId id) {
  Query row(database, "SELECT * FROM workflow WHERE id = ?", "workflow");
  row.Bind(1, static_cast<int64_t>(id.value()));
  if (!row.Next()) {
    MUSTER_RETURN_IF_ERROR(row.status());
    return std::nullopt;
  }
  MUSTER_ASSIGN_OR_RETURN(core::WorkflowRow workflow, ReadWorkflow(row));
  MUSTER_ASSIGN_OR_RETURN(StoredWorkflow stored, ReadWhole(database, std::move(workflow), true));
  return stored;
}

absl::StatusOr<std::vector<core::RecoveredEnd>> WorkflowEnds(Database* database, const StoredWorkflow& workflow) {
  std::vector<core::RecoveredEnd> ends;
  MUSTER_RETURN_IF_ERROR(ReadEnds(database, workflow.row, workflow.parts, &ends));
  return ends;
}

absl::StatusOr<std::vector<TaskId>> FindWorkflowsByName(Database* database, std::string_view name, size_t limit) {
  std::vector<TaskId> found;
  Query rows(database, "SELECT id FROM workflow WHERE name = ? ORDER BY id DESC LIMIT ?");
  rows.Bind(1, name);
  rows.Bind(2, static_cast<int64_t>(limit));
  while (rows.Next()) found.push_back(IdAt(rows, 0));
  MUSTER_RETURN_IF_ERROR(rows.status());
  return found;
}

absl::StatusOr<std::vector<StoredWorkflow>> ListWorkflows(Database* database, const WorkflowQuery& query) {
  std::vector<core::WorkflowRow> found;
  Query rows(database, query.ended_too ? "SELECT * FROM workflow WHERE id < ? ORDER BY id DESC"
                                       : "SELECT * FROM workflow WHERE id < ? AND id IN"
                                         " (SELECT workflow FROM workflow_state WHERE state < 3) ORDER BY id DESC",
             "workflow");
  rows.Bind(1, query.before ? static_cast<int64_t>(query.before.value()) : INT64_MAX);
  while (found.size() < query.limit && rows.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::WorkflowRow row, ReadWorkflow(rows));
    if (query.owner.empty() || row.spec->owner == query.owner) found.push_back(std::move(row));
  }
  MUSTER_RETURN_IF_ERROR(rows.status());
  std::vector<StoredWorkflow> workflows;
  for (core::WorkflowRow& row : found) {
    MUSTER_ASSIGN_OR_RETURN(StoredWorkflow stored, ReadWhole(database, std::move(row), false));
    workflows.push_back(std::move(stored));
  }
  return workflows;
}

absl::StatusOr<std::vector<EndCounts>> CountEnds(Database* database, const std::vector<TaskRange>& ranges) {
  std::vector<EndCounts> counts;
  counts.reserve(ranges.size());
  for (const TaskRange& range : ranges) {
    EndCounts& count = counts.emplace_back();
    Query ends(database, "SELECT state, reason, count(*), max(ended), min(message) FROM outcome WHERE task >= ? AND task < ? GROUP BY state, reason");
    ends.Bind(1, static_cast<int64_t>(range.first.value()));
    ends.Bind(2, static_cast<int64_t>(range.first.value() + range.count));
    while (ends.Next()) {
      const auto state = static_cast<TaskState>(ends.Int(0));
      if (!IsTerminal(state)) continue;
      count.by_state[static_cast<size_t>(state)] += static_cast<uint64_t>(ends.Int(2));
      if (core::WasSkipped(state, static_cast<EndReason>(ends.Int(1)))) count.skipped += static_cast<uint64_t>(ends.Int(2));
      if (!ends.IsNull(3)) count.last_end = std::max(count.last_end, NumberToTime(ends.Int(3)));
      if (state != TaskState::kSucceeded && !ends.IsNull(4)) count.reason = std::string(ends.Bytes(4));
    }
    MUSTER_RETURN_IF_ERROR(ends.status());
    Query start(database, "SELECT dispatched FROM attempt WHERE key >= ? AND key < ? ORDER BY key LIMIT 1");
    start.Bind(1, PackKey({range.first, AttemptNumber()}));
    start.Bind(2, PackKey({TaskId(range.first.value() + range.count), AttemptNumber()}));
    if (start.Next()) count.first_start = TimeIn(start, 0);
    MUSTER_RETURN_IF_ERROR(start.status());
  }
  return counts;
}

}  // namespace muster::store
