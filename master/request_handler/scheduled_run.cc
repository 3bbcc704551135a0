#include "master/request_handler/scheduled_run.h"

#include <string>

#include "muster/v1/task.pb.h"

namespace muster::handler {
namespace {

// In UTC; of a run by hand to the millisecond, for it is no due time.
std::string DueWords(absl::Time due) {
  return absl::FormatTime(IsByHand(due) ? "%Y-%m-%dT%H:%M:%E3SZ" : "%Y-%m-%dT%H:%M:%SZ", due, absl::UTCTimeZone());
}

void AddLabel(const char* key, const std::string& value, v1::TaskSpec* spec) {
  v1::Label* const label = spec->add_labels();
  label->set_key(key);
  label->set_value(value);
}

void AddVariable(const char* name, const std::string& value, v1::Command* command) {
  v1::EnvironmentVariable* const variable = command->add_environment();
  variable->set_name(name);
  variable->set_value(value);
}

}  // namespace

TaskSpecPtr MakeScheduledRun(const QueueBoard* queues, const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
  v1::TaskSpec spec;
  spec.ParseFromString(scheduled->payload);
  spec.clear_in_workflow();
  const std::string due = DueWords(origin.due);
  if (spec.name().empty()) spec.set_name(origin.schedule);
  AddLabel(kScheduleLabel, origin.schedule, &spec);
  AddLabel(kDueLabel, due, &spec);
  if (spec.has_command()) {
    AddVariable("MUSTER_SCHEDULE", origin.schedule, spec.mutable_command());
    AddVariable("MUSTER_DUE_TIME", due, spec.mutable_command());
  }
  return AcceptWhole(queues, &spec);
}

}  // namespace muster::handler
