// Verifies a store without changing it, also beside a running master: what `muster-master check` prints.
//
//   auto report = CheckStore("/var/lib/muster");
//   if (report.ok() && !report->sound()) for (const Finding& finding : report->findings) print(finding);
//
// It looks at the database file's header, the write-ahead file's frames, store.mark, the schema, every row by itself
// (checksum, kinds, contents), what the rows of different tables and the activity log say of each other, and SQLite's
// own structures and indexes. Beside a running master it sees one snapshot, and leaves the write-ahead file out.
// docs/storage.md says what of this a start does.
// Thread rule: any; it opens connections of its own. Errors: NOT_FOUND when there is no store; INTERNAL when a file cannot
// be read. Damage is no error but a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/domain/ids.h"

namespace muster::store {

struct Finding {
  std::string file;   // "muster.db", "muster.db-wal", "store.mark"
  std::string table;  // empty: not of one table
  std::string row;    // "row 458753 (task 7, attempt 1)"
  TaskId task;        // 0: of none, or not known
  std::string what;

  std::string Line() const;  // "muster.db: table outcome, row 7 (task 7): its checksum does not match"
};

struct CheckOptions {
  size_t most_findings = 1000;  // then it stops
};

struct CheckReport {
  std::vector<Finding> findings;
  std::vector<std::string> notes;  // what is worth saying and no damage
  std::vector<std::pair<std::string, uint64_t>> rows;  // by table: those that were read
  uint64_t tasks = 0;
  uint64_t ended_tasks = 0;
  std::set<TaskId> damaged_tasks;
  CommitNumber last_commit;
  int64_t epoch = 0;
  std::string cluster_id;
  bool beside_master = false;
  bool stopped_early = false;  // at most_findings

  bool sound() const { return findings.empty(); }
};

absl::StatusOr<CheckReport> CheckStore(const std::string& directory, const CheckOptions& options = {});

}  // namespace muster::store
