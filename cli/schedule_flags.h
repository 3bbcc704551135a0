// The flags of `muster schedule add`, and the request that they become.
// Thread rule: one thread. Errors: usage errors (errors.h).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/flags.h"
#include "cli/task_flags.h"
#include "muster/v1/schedule_service.pb.h"

namespace muster::cli {

struct ScheduleFlags {
  std::string name, zone, missed, overlap;
  std::string flow;               // a workflow's file or folder
  std::vector<std::string> sets;  // its parameters
  std::vector<std::string> times;  // one word, or as many as the times have
  std::vector<std::string> argv;
  TaskFlags task;

  void Declare(Flags& flags);
  absl::StatusOr<v1::AddScheduleRequest> Build(absl::Time now) const;

 private:
  absl::Status CheckUse(absl::Time now) const;
  absl::StatusOr<v1::ScheduledWorkflow> ReadFlow() const;
};

}  // namespace muster::cli
