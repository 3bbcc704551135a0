#include "master/store/schedule_rows.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/domain/scheduled_work.h"
#include "master/schedules/schedule_state.h"
#include "master/schedules/times_text.h"
#include "master/schedules/timetable.h"
#include "master/store/packing.h"
#include "muster/v1/schedule.pb.h"
#include "muster/v1/task.pb.h"

namespace muster::store {
namespace {

constexpr uint64_t kMostPackedRuns = 100'000;  // more than there ever are

absl::Time TimeOr(const Query& row, int column, absl::Time none) {
  return row.IsNull(column) ? none : NumberToTime(row.Int(column));
}

absl::StatusOr<ScheduleTimes> TimesOf(const Query& row) {
  if (row.IsNull(2) && row.IsNull(4)) {
    const auto times = schedules::ReadTimes(std::string(row.Bytes(1)), "", absl::UTCTimeZone(), absl::UnixEpoch());
    if (!times.ok() || !std::holds_alternative<EventTimes>(*times)) return row.Damaged("its times are missing");
    return *times;
  }
  const absl::Time since = TimeOr(row, 4, absl::InfinitePast());
  if (!row.IsNull(3)) return ScheduleTimes(IntervalTimes{absl::Seconds(row.Int(3)), since});
  if (!row.IsNull(2)) return ScheduleTimes(CronTimes{std::string(row.Bytes(1)), std::string(row.Bytes(2))});
  return ScheduleTimes(OneTime{since});
}

template <typename Archive>
void RunFields(Archive& archive, auto& run) {
  archive(run.due);
  archive(run.last_due);
  archive(run.result);
  archive(run.task);
  archive(run.ended_as);
  archive(run.started);
  archive(run.ended);
  archive(run.reason);
  archive(run.request_id);
}

void PackAll(const std::vector<ScheduledRun>& runs, std::string* out) {
  Packer pack(out);
  pack.Unsigned(runs.size());
  std::string packed;
  for (const ScheduledRun& run : runs) {
    packed.clear();
    Packer one(&packed);
    RunFields(one, run);
    pack.Bytes(packed);
  }
}

bool IsRun(const ScheduledRun& run, bool goes_on) {
  if (run.result < RunResult::kRuns || run.result > RunResult::kRefused) return false;
  if (run.ended_as > TaskState::kPoisoned || run.due > run.last_due) return false;
  return goes_on ? run.result == RunResult::kRuns && run.task : run.result != RunResult::kRuns;
}

bool UnpackAll(Unpacker& unpack, bool goes_on, std::vector<ScheduledRun>* runs) {
  const uint64_t count = unpack.Unsigned();
  if (!unpack.ok() || count > kMostPackedRuns) return false;
  for (uint64_t i = 0; i < count; ++i) {
    Unpacker one(unpack.Bytes());
    ScheduledRun run;
    RunFields(one, run);
    if (!unpack.ok() || !one.ok() || !IsRun(run, goes_on)) return false;
    runs->push_back(std::move(run));
  }
  return true;
}

// The newest of each name.
template <typename Row, typename NameOf>
std::vector<const Row*> NewestOf(const std::vector<Row>& rows, NameOf name_of) {
  std::map<std::string, const Row*> newest;
  for (const Row& row : rows) newest[name_of(row)] = &row;
  std::vector<const Row*> found;
  for (const auto& entry : newest) found.push_back(entry.second);
  return found;
}

}  // namespace

absl::Status ScheduleWriter::Write(Database* database, const core::ScheduleRows& rows, int64_t commit, RunningDigest* digest) {
  if (rows.empty()) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(WriteSchedules(database, rows, commit, digest));
  return WriteProgress(database, rows, commit, digest);
}

absl::Status ScheduleWriter::WriteSchedules(Database* database, const core::ScheduleRows& rows, int64_t commit,
                                            RunningDigest* digest) {
  std::vector<const core::ScheduleRow*> kept = NewestOf(rows.schedules, [](const core::ScheduleRow& row) { return row.spec.name; });
  for (const core::ScheduleRow* const row : kept) {
    if (!row->removed) continue;
    for (const char* const sql : {"DELETE FROM schedule WHERE name = ?", "DELETE FROM schedule_progress WHERE name = ?"}) {
      Query remove(database, sql);
      remove.Bind(1, row->spec.name);
      MUSTER_RETURN_IF_ERROR(remove.Run());
    }
  }
  std::erase_if(kept, [](const core::ScheduleRow* row) { return row->removed; });
  std::vector<std::string> work;
  for (const core::ScheduleRow* const row : kept) work.push_back(PackWork(*row->spec.work));
  return schedules_.Insert(database, kept.size(), digest, [&](size_t i, RowBinder& row) {
    const core::ScheduleRow& it = *kept[i];
    const auto* cron = std::get_if<CronTimes>(&it.spec.times);
    const auto* interval = std::get_if<IntervalTimes>(&it.spec.times);
    const auto* once = std::get_if<OneTime>(&it.spec.times);
    row.Text(it.spec.name);
    row.Scratch() = schedules::TimesText(it.spec.times);
    row.Text(row.scratch());
    cron != nullptr ? row.Text(cron->zone) : row.Null();
    interval != nullptr ? row.Int(absl::ToInt64Seconds(interval->period)) : row.Null();
    if (interval != nullptr) {
      row.Time(interval->since);
    } else if (once != nullptr) {
      row.Time(once->at);
    } else {
      row.Null();
    }
    row.Int(static_cast<int64_t>(it.spec.missed));
    row.Int(it.spec.missed_limit);
    row.Int(static_cast<int64_t>(it.spec.overlap));
    row.Int(it.spec.paused ? 1 : 0);
    row.Text(it.pause_reason);
    row.Text(it.owner);
    row.Time(it.created);
    row.Blob(work[i]);
    row.Int(commit);
  });
}

absl::Status ScheduleWriter::WriteProgress(Database* database, const core::ScheduleRows& rows, int64_t commit,
                                           RunningDigest* digest) {
  const auto kept = NewestOf(rows.progress, [](const core::ScheduleProgressRow& row) { return row.name; });
  return progress_.Insert(database, kept.size(), digest, [&](size_t i, RowBinder& row) {
    row.Text(kept[i]->name);
    row.Time(kept[i]->decided_until);
    PackRuns(*kept[i], &row.Scratch());
    row.Blob(row.scratch());
    row.Int(commit);
  });
}

absl::StatusOr<core::ScheduleRow> ReadSchedule(const Query& row) {
  core::ScheduleRow result;
  result.spec.name = std::string(row.Bytes(0));
  MUSTER_ASSIGN_OR_RETURN(result.spec.times, TimesOf(row));
  // What only a later version knows is none that this one could keep to.
  if (!schedules::Timetable::Make(result.spec.times, absl::UTCTimeZone()).ok()) return row.Damaged("its times cannot be read");
  if (row.Int(5) < 0 || row.Int(5) > static_cast<int64_t>(MissedRuns::kRunAll) || row.Int(6) < 1 ||
      row.Int(6) > ScheduleSpec::kMostMissedRuns || row.Int(7) < 0 || row.Int(7) > static_cast<int64_t>(Overlap::kReplace)) {
    return row.Damaged("its rules for missed runs and overlaps are none");
  }
  result.spec.missed = static_cast<MissedRuns>(row.Int(5));
  result.spec.missed_limit = static_cast<uint32_t>(row.Int(6));
  result.spec.overlap = static_cast<Overlap>(row.Int(7));
  if (result.spec.event() != nullptr && (result.spec.missed != MissedRuns::kRunOnce || result.spec.overlap == Overlap::kReplace)) {
    return row.Damaged("its rules for missed runs and overlaps are none of an event");
  }
  result.spec.paused = row.Int(8) != 0;
  result.pause_reason = std::string(row.Bytes(9));
  result.owner = std::string(row.Bytes(10));
  result.created = TimeOr(row, 11, absl::UnixEpoch());
  absl::StatusOr<ScheduledWork> work = UnpackWork(std::string(row.Bytes(12)));
  if (row.IsNull(12) || !work.ok()) return row.Damaged("its task or workflow cannot be read");
  result.spec.work = std::make_shared<const ScheduledWork>(*std::move(work));
  return result;
}

absl::StatusOr<core::ScheduleProgressRow> ReadScheduleProgress(const Query& row) {
  core::ScheduleProgressRow result;
  result.name = std::string(row.Bytes(0));
  result.decided_until = TimeOr(row, 1, absl::InfinitePast());
  if (result.decided_until == absl::InfinitePast() || result.decided_until == absl::InfiniteFuture() ||
      !UnpackRuns(row.Bytes(2), &result)) {
    return row.Damaged("its runs cannot be read");
  }
  return result;
}

absl::Status ReadSchedules(Database* database, core::ScheduleRows* rows) {
  Query schedules(database, "SELECT * FROM schedule ORDER BY name", "schedule");
  while (schedules.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::ScheduleRow row, ReadSchedule(schedules));
    rows->schedules.push_back(std::move(row));
  }
  MUSTER_RETURN_IF_ERROR(schedules.status());
  Query progress(database, "SELECT * FROM schedule_progress ORDER BY name", "schedule_progress");
  while (progress.Next()) {
    MUSTER_ASSIGN_OR_RETURN(core::ScheduleProgressRow row, ReadScheduleProgress(progress));
    rows->progress.push_back(std::move(row));
  }
  return progress.status();
}

std::string PackWork(const ScheduledWork& work) {
  return work.is_workflow() ? absl::StrCat(std::string(1, '\0'), work.workflow) : work.task->payload;
}

absl::StatusOr<ScheduledWork> UnpackWork(std::string bytes) {
  if (!bytes.empty() && bytes.front() == '\0') {
    ScheduledWork work{.workflow = bytes.substr(1)};
    v1::ScheduledWorkflow workflow;
    if (!workflow.ParseFromString(work.workflow)) return absl::DataLossError("no workflow");
    return work;
  }
  v1::TaskSpec task;
  if (!task.ParseFromString(bytes)) return absl::DataLossError("no task");
  return ScheduledWork{.task = convert::MakeTaskSpec(task, std::move(bytes))};
}

void PackRuns(const core::ScheduleProgressRow& progress, std::string* out) {
  PackAll(progress.running, out);
  PackAll(progress.recent, out);
  Packer pack(out);
  pack.Unsigned(progress.waiting.size());
  for (const absl::Time due : progress.waiting) pack(due);
}

bool UnpackRuns(std::string_view bytes, core::ScheduleProgressRow* progress) {
  Unpacker unpack(bytes);
  if (!UnpackAll(unpack, true, &progress->running) || !UnpackAll(unpack, false, &progress->recent)) return false;
  const uint64_t waiting = unpack.Unsigned();
  if (!unpack.ok() || waiting > kMostPackedRuns) return false;
  for (uint64_t i = 0; i < waiting; ++i) {
    if (unpack.done()) return false;
    unpack(progress->waiting.emplace_back());
  }
  return unpack.ok();
}

}  // namespace muster::store
