// What is durable of the schedules. The newest row of a name holds; a removed one takes all of that name out of the store.
//
// A progress row is in the same commit as the specifications of the runs that it names: whoever finds the one finds the
// others, so no due time is started twice, and none is lost. A schedule without one (its row was damaged and set aside)
// has decided everything up to now.
// Thread rule: values.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/schedule.h"
#include "common/domain/schedule_view.h"

namespace muster::core {

struct ScheduleRow {
  ScheduleSpec spec;  // with its name, and whether it is paused; the rest of a removed one means nothing
  std::string owner;
  absl::Time created;
  std::string pause_reason;
  bool removed = false;
};

struct ScheduleProgressRow {
  std::string name;
  absl::Time decided_until;           // schedules::ScheduleProgress, here and below
  std::vector<ScheduledRun> running;  // with their tasks
  std::vector<absl::Time> waiting;
  std::vector<ScheduledRun> recent;   // for people: the newest first
};

struct ScheduleRows {
  std::vector<ScheduleRow> schedules;
  std::vector<ScheduleProgressRow> progress;

  bool empty() const { return schedules.empty() && progress.empty(); }
};

}  // namespace muster::core
