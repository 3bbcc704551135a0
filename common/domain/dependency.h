// What a task waits for: tasks that must have ended, and how.
//
// A dependency on a batch whose rows came in several calls is several entries, one for each range of ids; all but the
// first `continue` the one before: the condition is of all their tasks together.
// Thread rule: values.
#pragma once

#include <cstdint>

#include "common/domain/ids.h"

namespace muster {

// Numbers are those of muster.v1.DependencyCondition.
enum class DependencyCondition : uint8_t {
  kSuccess = 1,  // all SUCCEEDED; impossible as soon as one ended otherwise
  kFailure = 2,  // all have ended, one at least otherwise; impossible when all SUCCEEDED
  kAny = 3,      // all have ended
};

struct Dependency {
  TaskRange tasks;  // which exist; count 0: nobody knows any more which they were, and nothing can be met
  DependencyCondition condition = DependencyCondition::kSuccess;
  bool continues = false;

  friend bool operator==(const Dependency&, const Dependency&) = default;
};

}  // namespace muster
