// The changes that a watcher has not been told yet: of each task the newest, in the order in which tasks first changed.
//
// Pure. Bounded by `limit` tasks: Add says no beyond it, and the watcher must begin anew from a snapshot.
// Thread rule: the owner's lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "common/domain/ids.h"
#include "master/request_handler/task_note.h"

namespace muster::handler {

class Conflation {
 public:
  explicit Conflation(size_t limit) : limit_(limit) {}

  // False: full. A later change of a task takes the place of the earlier one; an end is never replaced.
  bool Add(TaskNote note, uint64_t turn);
  // A snapshot as of `turn` showed the task: older changes of it have been told.
  void ShownIn(TaskId task, uint64_t turn);
  std::optional<TaskNote> Next();  // the oldest, taken out

  bool empty() const { return changes_.empty(); }
  size_t size() const { return changes_.size(); }

 private:
  struct Change {
    TaskNote note;
    uint64_t turn;
  };
  const size_t limit_;
  absl::flat_hash_map<TaskId, Change> changes_;
  std::deque<TaskId> order_;  // may name tasks that are no longer there
};

}  // namespace muster::handler
