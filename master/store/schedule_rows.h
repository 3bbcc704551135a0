// The tables schedule and schedule_progress: core::ScheduleRows into rows, and back.
//
// Thread rule: ScheduleWriter the writer's thread; the rest pure. Errors: DATA_LOSS naming file, table and row.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/domain/scheduled_work.h"
#include "master/core/schedule_rows.h"
#include "master/store/sqlite_database.h"
#include "master/store/table_writer.h"

namespace muster::store {

class ScheduleWriter {
 public:
  absl::Status Write(Database* database, const core::ScheduleRows& rows, int64_t commit, RunningDigest* digest);

 private:
  absl::Status WriteSchedules(Database* database, const core::ScheduleRows& rows, int64_t commit, RunningDigest* digest);
  absl::Status WriteProgress(Database* database, const core::ScheduleRows& rows, int64_t commit, RunningDigest* digest);

  TableWriter schedules_{"schedule (name, times, zone, period, since, missed, missed_limit, overlap, paused, pause_reason, owner,"
                         " created, task, commit_number, crc)", 15, "INSERT OR REPLACE INTO "};
  TableWriter progress_{"schedule_progress (name, decided_until, runs, commit_number, crc)", 5, "INSERT OR REPLACE INTO "};
};

// Over all columns, with the table's name.
absl::StatusOr<core::ScheduleRow> ReadSchedule(const Query& row);
absl::StatusOr<core::ScheduleProgressRow> ReadScheduleProgress(const Query& row);
// All that is there.
absl::Status ReadSchedules(Database* database, core::ScheduleRows* rows);

// The column `task`: a serialized muster.v1.TaskSpec; or, after a byte 0, with which no message begins, a serialized
// muster.v1.ScheduledWorkflow.
std::string PackWork(const ScheduledWork& work);
absl::StatusOr<ScheduledWork> UnpackWork(std::string bytes);

// The column `runs`.
void PackRuns(const core::ScheduleProgressRow& progress, std::string* out);
bool UnpackRuns(std::string_view bytes, core::ScheduleProgressRow* progress);

}  // namespace muster::store
