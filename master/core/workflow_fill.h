// Slots that the lines of workflows leave idle (workflow_line.h): the tasks in line cannot run now, for want of a worker with
// their label or because their queue is paused, and others of their workflow could. Those are let go out of their order.
//
// Only one that a worker takes at once is, so a line keeps its length where what is short is short for all. Looked for while
// there are slots not in use and workflows that have more to let go: kLooks tasks a turn, from where the turn before ended,
// until all were looked at since room, limits or the gates changed.
// Thread rule: one thread. Cost: O(kLooks * log n) a turn, and what it places.
#pragma once

#include <cstddef>

#include "master/core/cluster.h"
#include "master/core/placing.h"
#include "master/core/transitions.h"

namespace muster::core {

class WorkflowFill {
 public:
  static constexpr size_t kLooks = 32;

  WorkflowFill(Cluster* cluster, Transitions* transitions, Placing* placing)
      : cluster_(*cluster), transitions_(*transitions), placing_(*placing) {}

  // After everybody in line was asked. `changed`: there may be room for what had none, or more to let go.
  void OnTurn(const Moment& turn, bool changed);
  bool unfinished() const { return looking_; }

 private:
  void Begin();
  bool MayHaveRoom() const;
  // The next task at a gate that may start as far as its workflow goes. Null: all were looked at.
  Task* Next();
  Task* NextAtGate(const Workflow& workflow) const;

  Cluster& cluster_;
  Transitions& transitions_;
  Placing& placing_;
  struct Place {
    TaskId workflow;
    TaskId task;  // 0: before its first
    auto operator<=>(const Place&) const = default;
  };
  Place at_;     // looked at last
  Place began_;  // all were looked at when it comes by there again
  bool turned_ = false;  // it went on from the first workflow
  bool looking_ = false;
};

}  // namespace muster::core
