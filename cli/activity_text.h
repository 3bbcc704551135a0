// A line of the activity log, for a person.
// Thread rule: pure.
#pragma once

#include <string>

#include "muster/v1/cluster.pb.h"

namespace muster::cli {

// "TaskEnded 3F attempt 1 SUCCEEDED EXITED(0)", without time.
std::string ActivityText(const v1::ActivityRecord& record);

}  // namespace muster::cli
