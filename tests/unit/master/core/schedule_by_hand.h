// Schedules for tests of the core: what is asked for in one line, and runs that can be told by their due time.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "common/domain/scheduled_work.h"
#include "master/core/cluster_core.h"
#include "master/schedules/timetable.h"
#include "tests/support/test_cluster.h"
#include "tests/unit/master/core/workflow_by_hand.h"

namespace muster::testing {

inline std::string RunName(const std::string& schedule, absl::Time due) {
  return schedule + "@" + absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", due, absl::UTCTimeZone());
}

// A run's task is named by its schedule and its due time.
inline core::CoreConfig ScheduleConfig() {
  core::CoreConfig config;
  config.make_run = [](const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
    auto spec = std::make_shared<TaskSpec>(*scheduled);
    spec->name = RunName(origin.schedule, origin.due);
    return spec;
  };
  // "2": two nodes, the second of which needs the first. Each has its run's name and its number.
  config.make_workflow = [](const std::string& scheduled, const core::RunOrigin& origin) -> absl::StatusOr<core::SubmitWorkflow> {
    std::vector<WorkflowNode> nodes(std::stoul(scheduled));
    for (uint32_t node = 1; node < nodes.size(); ++node) nodes[node].needs = {{node - 1}};
    core::SubmitWorkflow flow = Flow(std::move(nodes), [&](WorkflowSpec& spec) { spec.name = RunName(origin.schedule, origin.due); });
    for (core::NewNode& node : flow.nodes) node.spec->name = RunName(origin.schedule, origin.due) + "/" + std::to_string(node.node);
    return flow;
  };
  return config;
}

inline core::ChangeSchedule AddScheduleEvent(const std::string& name, ScheduleTimes times, absl::Time now,
                                             const std::function<void(ScheduleSpec&)>& change = nullptr) {
  core::AddSchedule add{.zone = absl::UTCTimeZone(), .owner = "ann@host"};
  if (auto* interval = std::get_if<IntervalTimes>(&times)) interval->since = absl::FromUnixSeconds(absl::ToUnixSeconds(now));
  add.spec.name = name;
  add.spec.times = std::move(times);
  add.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{Spec()});
  if (change) change(add.spec);
  return {.call = CallId(1), .name = name, .by = "ann", .what = std::move(add)};
}

inline void StartAWorkflow(ScheduleSpec& spec) {
  spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{.workflow = "2"});
}

}  // namespace muster::testing
