// Which tasks a workflow's nodes are just now, and what a new task of a node therefore waits for.
//
// Its parts are the calls that made tasks of it: the first one made all of them, each later one new tasks for what had
// failed, or tasks of new nodes. A node that is in a part waits for the tasks that the nodes it needs have in the same part, since what was kept
// of those has succeeded; where a needed node is not in the part, for what it was before.
//
//   layout.Add(part);                        // in the order of the calls
//   layout.DependenciesOf(spec, node);       // of a task of the newest part
// Pure. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "common/domain/dependency.h"
#include "common/domain/ids.h"
#include "common/domain/workflow.h"

namespace muster::core {

class WorkflowLayout {
 public:
  explicit WorkflowLayout(size_t nodes) : now_(nodes) {}

  // To so many nodes; the new ones have no tasks yet.
  void Grow(size_t nodes) { now_.resize(nodes); }
  void Add(const std::vector<NodeTasks>& part);
  std::vector<Dependency> DependenciesOf(const WorkflowSpec& spec, uint32_t node) const;

  // The tasks that a node is now: what was not replaced, oldest part first.
  const std::vector<TaskRange>& TasksOf(uint32_t node) const { return now_[node].tasks; }
  size_t nodes() const { return now_.size(); }
  uint64_t task_count() const;  // of all nodes
  // How many of its parts tried again what was there.
  uint32_t retries() const { return retries_; }

 private:
  struct Now {
    std::vector<TaskRange> tasks;
    uint32_t newest_part = 0;
    size_t newest = 0;  // where those of that part begin in `tasks`
  };

  uint32_t parts_ = 0;
  uint32_t retries_ = 0;
  std::vector<Now> now_;
};

}  // namespace muster::core
