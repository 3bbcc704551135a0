// Keys of attempts, for tests that name them by number.
#pragma once

#include "common/domain/ids.h"

namespace muster::worker {

inline AttemptKey Key(uint64_t task, uint32_t attempt = 1) { return {TaskId(task), AttemptNumber(attempt)}; }

}  // namespace muster::worker
