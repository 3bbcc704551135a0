// What the tasks of one specification row share.
//
// Thread rule: immutable once shared; any thread may make one.
#pragma once

#include <cstdint>
#include <memory>

#include "master/core/transaction.h"

namespace muster::core {

struct TaskGroup {
  SpecificationRow row;
  int64_t bytes_each = 0;  // of a task that waits, for the queue's bound

  bool InBatch() const { return row.batch.value() != 0; }
};
using TaskGroupPtr = std::shared_ptr<const TaskGroup>;

TaskGroupPtr MakeTaskGroup(SpecificationRow row);

}  // namespace muster::core
