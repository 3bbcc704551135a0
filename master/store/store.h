// Durability: one interface, rows that are only added, everything of a turn in one transaction.
//
// Commit is called by the master's loop alone and returns when the transaction is on stable storage. Reads come from
// any thread and see whole commits only. Ownership: the store keeps nothing of what it is given after a call.
// Errors: a failed Commit or sync is fatal for the caller (semantics: the master exits and names the file), except
// RESOURCE_EXHAUSTED: the disk is full, nothing was written, and the caller may try again.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/core/dependencies.h"
#include "master/core/recovered_state.h"

namespace muster::store {

// A task as the store has it. What is open has no outcome; its exact state is the core's to tell.
struct StoredTask {
  TaskId id;
  core::SpecificationRow specification;  // its own or its batch part's
  uint64_t batch_index = 0;              // 0: a single task
  std::vector<core::AttemptRow> attempts;
  std::vector<core::AttemptEndRow> attempt_ends;
  std::vector<core::NoteRow> notes;
  std::optional<core::CancelRow> cancel;
  std::optional<core::OutcomeRow> outcome;  // without output unless asked for
  CommitNumber commit;                       // of its newest row
};

struct StoredBatch {
  TaskId id;
  std::vector<core::SpecificationRow> parts;  // rows included, in order
  uint64_t task_count = 0;
  std::vector<std::pair<TaskState, uint64_t>> ended;  // finished tasks by state
  int exit_code = 0;  // the highest of the ended tasks
};

// A workflow as the store has it. Of one that is open the core knows more.
struct StoredWorkflow {
  core::WorkflowRow row;
  std::vector<core::WorkflowPartRow> parts;  // oldest first; not in lists
  core::WorkflowStateRow state;
};

struct WorkflowQuery {
  TaskId before;  // ids below this; 0: from the newest
  size_t limit = 100;
  bool ended_too = false;
  std::string owner;
};

// How the tasks of a range ended, as far as they have.
struct EndCounts {
  uint64_t by_state[16] = {};
  uint64_t skipped = 0;
  absl::Time first_start = absl::InfiniteFuture();  // when the first of them was sent to a worker
  absl::Time last_end = absl::InfinitePast();
  std::string reason;  // of one that did not succeed

  EndCounts& operator+=(const EndCounts& other) {
    for (size_t i = 0; i < 16; ++i) by_state[i] += other.by_state[i];
    skipped += other.skipped;
    first_start = std::min(first_start, other.first_start);
    last_end = std::max(last_end, other.last_end);
    if (reason.empty()) reason = other.reason;
    return *this;
  }
};

struct ActivityEntry {
  CommitNumber commit;
  uint32_t index = 0;
  activity::Record record;
};

// What a list asks for; empty members match everything.
struct TaskQuery {
  TaskId before;  // ids below this; 0: from the newest
  size_t limit = 100;
  std::vector<TaskRange> ranges;
  std::vector<TaskState> finished_states;
  bool include_open = true;
  bool include_finished = false;
  std::string queue;
  std::string owner;
  std::vector<std::pair<std::string, std::string>> labels;
};

// Some tasks of a list, and where to go on: a scan looks at a bounded number of rows, found or not.
struct TaskScan {
  std::vector<StoredTask> tasks;
  TaskId resume_before;  // TaskQuery::before of the next scan; 0: there is no more
  std::vector<TaskId> unreadable;  // their rows are damaged; whether they match is not known. FindTask says which row
};

// An attempt that failed by itself, and what it said at the end.
struct FailedAttempt {
  AttemptKey key;
  std::string worker;
  EndReason reason = EndReason::kNone;
  int32_t code = 0;  // exit code, signal or errno
  std::string message;
  std::string stderr_tail;  // up to 4 KiB
  absl::Time ended;
  bool last = false;  // its task ended with it
};

struct FailureScan {
  std::vector<FailedAttempt> failures;  // the newest first
  bool complete = true;                 // else there are more, older ones
};

// What `muster purge` asks for, and how far it came.
struct PurgeOrder {
  TaskId from;               // where the call before left off; 0: at the oldest
  absl::Time ended_before;
  bool dry_run = false;      // only count
};
struct PurgeProgress {
  uint64_t tasks = 0;        // gone with this call
  TaskId next;
  bool done = false;         // there are no more
};

// For metrics and for people. Counts are since the start.
struct StoreStats {
  uint64_t commits = 0;
  uint64_t torn_writes = 0;       // last writes that were dropped at start
  uint64_t refused_commits = 0;   // no room
  uint64_t checkpoints = 0;
  uint64_t wal_limit_waits = 0;   // commits that waited for the write-ahead file to be copied
  int64_t wal_bytes = 0;          // of the write-ahead file now
  int64_t database_bytes = 0;
  int64_t free_bytes = 0;         // of the file system
  bool ballast_held = false;
  int64_t kept_task_bytes = 0;      // what retention counts (retention.h)
  int64_t kept_output_bytes = 0;
  int64_t kept_activity_bytes = 0;
  uint64_t purged_tasks = 0;
  uint64_t scrubbed_rows = 0;
  uint64_t scrub_rounds = 0;        // over the whole store
  uint64_t damaged_rows = 0;        // known now
};

class Store {
 public:
  virtual ~Store() = default;

  // Once, before anything else: raises the epoch durably and reads what is open. `now` is calendar time.
  virtual absl::StatusOr<core::RecoveredState> LoadOpen(absl::Time now) = 0;

  // Durable when it returns OK; the number is one more than the last.
  virtual absl::StatusOr<CommitNumber> Commit(const core::Transaction& transaction) = 0;

  // What maintenance has found waits for a commit, though there may be nothing else to commit: an empty transaction will
  // do. MaintenancePause is how long one may sleep before asking again; infinite: as long as one likes. Any thread.
  virtual bool WantsCommit() const { return false; }
  virtual absl::Duration MaintenancePause() const { return absl::InfiniteDuration(); }

  // Purges finished tasks, a bounded part of the walk over all ids in each call, and returns when it is durable: while
  // it waits, somebody must commit. Any thread. RESOURCE_EXHAUSTED with a delay when nothing can be written just now.
  virtual absl::StatusOr<PurgeProgress> Purge(const PurgeOrder& /*order*/) {
    return absl::UnimplementedError("this store purges nothing");
  }

  // One bounded step of maintenance now; it also happens by itself. What it finds is written with the next commit.
  virtual absl::Status Maintain() { return absl::OkStatus(); }

  // --- Reads, from any thread.
  virtual absl::StatusOr<std::optional<StoredTask>> FindTask(TaskId id) = 0;
  // Up to `limit` tasks. It may look at the whole history for a filter that few match: for lists whose readers wait,
  // ScanTasks, a page at a time. A damaged row fails it, and is one of many to ScanTasks.
  virtual absl::StatusOr<std::vector<StoredTask>> ListTasks(const TaskQuery& query) = 0;
  virtual absl::StatusOr<TaskScan> ScanTasks(const TaskQuery& query) {
    absl::StatusOr<std::vector<StoredTask>> tasks = ListTasks(query);
    if (!tasks.ok()) return std::move(tasks).status();
    const TaskId resume = tasks->size() < query.limit || tasks->empty() ? TaskId() : tasks->back().id;
    return TaskScan{*std::move(tasks), resume};
  }
  virtual absl::StatusOr<std::optional<StoredBatch>> FindBatch(TaskId id) = 0;
  // The batch's id ranges alone, without rows.
  virtual absl::StatusOr<std::vector<TaskRange>> BatchRanges(TaskId id) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<TaskId>> FindByName(std::string_view name, size_t limit) = 0;
  // Of the tasks of each range that have ended, whether one did not succeed; UNKNOWN where a row is damaged or not kept.
  // Each range lies in one specification.
  virtual absl::StatusOr<std::vector<core::RangeEnds>> FindEnds(const std::vector<core::AskedRange>& /*ranges*/) {
    return absl::UnimplementedError("this store tells no ends");
  }
  virtual absl::StatusOr<std::optional<StoredWorkflow>> FindWorkflow(TaskId /*id*/) {
    return absl::UnimplementedError("this store keeps no workflows");
  }
  // Of the tasks that its nodes are now, as far as they have ended and are kept.
  virtual absl::StatusOr<std::vector<core::RecoveredEnd>> WorkflowEnds(const StoredWorkflow& /*workflow*/) {
    return absl::UnimplementedError("this store keeps no workflows");
  }
  // Newest first.
  virtual absl::StatusOr<std::vector<TaskId>> FindWorkflowsByName(std::string_view /*name*/, size_t /*limit*/) {
    return absl::UnimplementedError("this store keeps no workflows");
  }
  virtual absl::StatusOr<std::vector<StoredWorkflow>> ListWorkflows(const WorkflowQuery& /*query*/) {
    return absl::UnimplementedError("this store keeps no workflows");
  }
  // Each range of one specification, or of several.
  virtual absl::StatusOr<std::vector<EndCounts>> CountEnds(const std::vector<TaskRange>& /*ranges*/) {
    return absl::UnimplementedError("this store tells no ends");
  }
  virtual absl::StatusOr<std::optional<core::RequestRow>> FindRequest(std::string_view owner,
                                                                      std::string_view request_id) = 0;
  // With the retained output; null when the attempt reported nothing or its output is past retention.
  virtual absl::StatusOr<AttemptReportPtr> FindReport(AttemptKey key) = 0;
  // What failed at `since` or later, the newest `limit`. It looks at a bounded number of rows.
  virtual absl::StatusOr<FailureScan> RecentFailures(absl::Time since, size_t limit) = 0;
  // Every task that has been tried again as a new one. It looks at every specification.
  virtual absl::StatusOr<std::vector<TaskId>> RetriedTasks() = 0;
  // Whole commits, oldest first: more than `limit` when the last one has more.
  virtual absl::StatusOr<std::vector<ActivityEntry>> ReadActivity(CommitNumber after, absl::Time since,
                                                                  size_t limit) = 0;
  virtual CommitNumber last_commit() const = 0;
  // The first id that was never given out: what is below and is not found was purged, or is a batch. 0: not known.
  virtual TaskId next_id() const { return TaskId(); }
  // Whether a restore left the id out: if it was ever given out, its task was lost with the store before. Any thread.
  virtual bool WasSkipped(TaskId /*id*/) const { return false; }

  // Little room is left: what makes new work should be refused, what finishes work still finds room. Cheap.
  virtual bool LowOnRoom() const { return false; }
  virtual std::string Shortage() const { return ""; }  // the same in words; empty: there is room
  // The first row that a scrub found damaged, in words; empty: none is known.
  virtual std::string Damage() const { return ""; }
  virtual StoreStats stats() const { return {}; }
};

}  // namespace muster::store
