// What is no longer kept: finished tasks, retained output and the activity log, by age, count and bytes.
//
// Finding and deleting are apart. The maintenance thread finds one bounded step at a time, reading; the next commit
// writes it, as it writes the floor (maintainer.h). So nothing is deleted beside the one writer, and a commit is held up
// by a step's few hundred rows and not by a purge. What a step deletes is no part of the history: digests and the
// activity log stay as they were.
//
// An open task is never purged, nor is what an open task depends on; a batch goes when all of it has ended. A task is gone with its specification; when
// more belongs to it than fits into one step, the rest is listed in meta's `purging` and follows, also after a restart.
//
// Thread rule: the functions belong to the thread that owns the connection. Errors: as Database.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

struct KeepLimits {
  absl::Duration age = absl::InfiniteDuration();
  int64_t count = std::numeric_limits<int64_t>::max();
  int64_t bytes = std::numeric_limits<int64_t>::max();
};
struct RetentionConfig {
  KeepLimits tasks;     // age since the end; the newest `count`
  KeepLimits output;    // no count
  KeepLimits activity;  // no count
};

// Bytes of contents: of specifications and 256 for each task's other rows; of retained output; of activity.
struct Usage {
  int64_t tasks = 0;
  int64_t output = 0;
  int64_t activity = 0;

  int64_t total() const { return tasks + output + activity; }
  Usage& operator+=(const Usage& other);
  std::string ToText() const;
  static Usage FromText(std::string_view text);  // what is no usage is none
};
inline constexpr int64_t kBytesPerTask = 256;
inline constexpr int64_t kBytesPerRow = 64;  // of output and activity, beside its contents

// What one commit deletes.
struct PurgeStep {
  std::vector<TaskRange> tasks;                   // every row of these ids
  std::vector<TaskRange> specifications;          // these alone; the rest is in `purging`
  std::vector<int64_t> outputs;                   // by key
  int64_t activity_below = 0;                     // commits
  std::vector<std::pair<std::string, std::string>> requests;  // owner, id
  std::vector<TaskRange> cancels;                 // wishes for several tasks
  std::vector<TaskId> workflows;
  std::vector<TaskRange> purging;                 // what follows, after this step
  bool sets_purging = false;
  uint64_t task_count = 0;                        // tasks that are gone with it
  Usage freed;

  bool Empty() const;
};

// What of the finished tasks goes.
struct PurgeCriteria {
  absl::Time ended_before = absl::InfinitePast();
  int64_t ids_below = 0;      // whenever it ended
  int64_t bytes_to_free = 0;  // whenever it ended, the oldest first
  std::function<bool(TaskRange)> is_needed;  // these stay, of one specification; null: none of them
};

// A part of a walk over a table, and where the next part begins.
struct PurgeFinding {
  PurgeStep step;
  int64_t next = 0;
  bool done = false;  // the walk is over
};

// `most_specifications` bounds what is looked at. `whole_steps` false: only counts, without the bounds of a step.
absl::StatusOr<PurgeFinding> FindFinishedTasks(Database* database, int64_t from, const PurgeCriteria& criteria,
                                               int most_specifications, bool whole_steps = true);
absl::StatusOr<PurgeFinding> FindOldOutput(Database* database, int64_t from, const PurgeCriteria& criteria);
absl::StatusOr<PurgeFinding> FindOldActivity(Database* database, const PurgeCriteria& criteria);
// Of the first range of `purging`, which is not empty.
absl::StatusOr<PurgeStep> FindLeftovers(Database* database, std::vector<TaskRange> purging);
// Calls remembered before `made_before` whose tasks are gone, and wishes for such tasks. `from` is where the walk over
// the calls goes on, and is moved; both empty again: it is over.
absl::StatusOr<PurgeStep> FindOldRequests(Database* database, absl::Time made_before,
                                          std::pair<std::string, std::string>* from);

// Workflows that have ended and none of whose tasks is kept. `from` is where the walk goes on, and is moved; 0: it is over.
absl::StatusOr<PurgeStep> FindEmptyWorkflows(Database* database, int64_t* from);

// On the writer's connection, within its transaction.
absl::Status WritePurge(Database* database, const PurgeStep& step);

// What the limits count, from the rows themselves: for a store that does not say.
absl::StatusOr<Usage> CountUsage(Database* database);

// The newest `count` ids below `next_id` stay. Ids that a restore skipped (ascending) are nobody's and do not count.
int64_t FirstKeptId(int64_t next_id, int64_t count, const std::vector<TaskRange>& skipped);

}  // namespace muster::store
