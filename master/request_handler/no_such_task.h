// What is said of an id that nothing is found under: whether it was never given out, or is not kept any more.
// Thread rule: any thread.
#pragma once

#include "absl/status/status.h"
#include "common/domain/ids.h"
#include "master/store/store.h"

namespace muster::handler {

absl::Status NoSuchTask(const store::Store& store, TaskId id);

}  // namespace muster::handler
