// How far a store must be raised that comes back from a copy: past every epoch and every id that the lost tail may have
// given out. Nobody can be asked: what ended and was acknowledged is in no worker's memory. So both go by the clock,
// faster than any master could have gone (docs/adr/0005-restore-by-the-clock.md).
//
// Thread rule: pure functions.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "common/domain/ids.h"

namespace muster::store {

// What the copy knows.
struct KnownEnd {
  int64_t epoch = 0;
  TaskId next_id{1};
  AttemptNumber attempts;  // that an earlier restore set
  absl::Time last_commit;  // when it was made
};

struct Raised {
  int64_t epoch = 0;    // of the last start; the next one serves with one more
  TaskId next_id{1};
  TaskRange skipped;    // ids that the lost tail may have given out
  AttemptNumber attempts;  // and attempts up to this number, of the tasks that the copy has
};

// Milliseconds since 1970: no master starts a thousand times a second.
int64_t EpochAt(absl::Time now);

// A block of 2^24 ids, and one more for each minute since the copy's last commit: 279,620 a second, more than a store
// takes. At most a year's worth, so that a clock that is wrong does not use all ids up. And 1024 attempts a task.
Raised RaisePast(const KnownEnd& known, absl::Time now);

}  // namespace muster::store
