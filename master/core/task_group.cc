#include "master/core/task_group.h"

#include <string>
#include <utility>

#include "common/base/check.h"

namespace muster::core {
namespace {

// A record, its place in the indexes, and the queue's own entry.
constexpr int64_t kRecordBytes = 256;

// Its entry in the list, and in the index of what is waited for (dependencies.h).
constexpr int64_t kDependencyBytes = 176;

int64_t SharedBytes(const SpecificationRow& row) {
  int64_t bytes = static_cast<int64_t>(row.spec->payload.size());
  bytes += static_cast<int64_t>(row.spec->dependencies.size()) * kDependencyBytes;
  if (row.rows) {
    for (const auto& arguments : *row.rows) {
      for (const std::string& argument : arguments) bytes += static_cast<int64_t>(argument.size() + sizeof(argument));
    }
  }
  return bytes;
}

}  // namespace

TaskGroupPtr MakeTaskGroup(SpecificationRow row, TaskId workflow, uint32_t node) {
  MUSTER_CHECK(row.count > 0);
  const auto count = static_cast<int64_t>(row.count);
  const int64_t bytes_each = kRecordBytes + (SharedBytes(row) + count - 1) / count;
  return std::make_shared<const TaskGroup>(TaskGroup{std::move(row), bytes_each, workflow, node});
}

}  // namespace muster::core
