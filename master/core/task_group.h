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
  TaskId workflow;         // 0: it is of none
  uint32_t node = 0;       // of that

  bool InBatch() const { return row.batch.value() != 0; }
};
using TaskGroupPtr = std::shared_ptr<const TaskGroup>;

TaskGroupPtr MakeTaskGroup(SpecificationRow row, TaskId workflow = {}, uint32_t node = 0);

}  // namespace muster::core
