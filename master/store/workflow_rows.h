// The tables of workflows: what was accepted, which tasks were made of it, and where it is.
//
//   workflow        one row each; the specification without its tasks, which have rows of their own. One with more nodes
//                   replaces the one before
//   workflow_part   one for each call that made tasks: the first, and one for each addition and each retry
//   workflow_state  the newest replaces the one before
// Thread rule: a connection's. Errors: as Database; DATA_LOSS naming file, table and row.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/core/recovered_state.h"
#include "master/store/sqlite_database.h"
#include "master/store/store.h"
#include "master/store/table_writer.h"

namespace muster::store {

class WorkflowWriter {
 public:
  absl::Status Write(Database* database, const core::Transaction& transaction, int64_t commit, RunningDigest* digest);

 private:
  TableWriter workflows_{"workflow (id, name, owner, created, spec, commit_number, crc)", 7, "INSERT OR REPLACE INTO "};
  TableWriter parts_{"workflow_part (first, workflow, created, tasks, commit_number, crc)", 6};
  TableWriter states_{"workflow_state (workflow, state, started, ended, cancelled_by, reason, tally, commit_number, crc)", 9,
                      "INSERT OR REPLACE INTO "};
};

absl::StatusOr<core::WorkflowRow> ReadWorkflow(const Query& row);
absl::StatusOr<core::WorkflowPartRow> ReadWorkflowPart(const Query& row);
absl::StatusOr<core::WorkflowStateRow> ReadWorkflowState(const Query& row);

// Those that have not ended, by id, with how their nodes' tasks ended as far as they have.
absl::StatusOr<std::vector<core::RecoveredWorkflow>> ReadOpenWorkflows(Database* database);

absl::StatusOr<std::optional<StoredWorkflow>> FindWorkflow(Database* database, TaskId id);
absl::StatusOr<std::vector<core::RecoveredEnd>> WorkflowEnds(Database* database, const StoredWorkflow& workflow);
absl::StatusOr<std::vector<TaskId>> FindWorkflowsByName(Database* database, std::string_view name, size_t limit);
absl::StatusOr<std::vector<StoredWorkflow>> ListWorkflows(Database* database, const WorkflowQuery& query);
// For each range how many of its tasks ended how.
absl::StatusOr<std::vector<EndCounts>> CountEnds(Database* database, const std::vector<TaskRange>& ranges);

}  // namespace muster::store
