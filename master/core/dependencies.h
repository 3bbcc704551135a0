// Who waits for which tasks, and what has become of those: the index from what ends to what waits for it.
//
//   dependencies.Add(waiter, spec, open_in);       // a group of tasks that share one list; kWaits or kMet
//   dependencies.Enter(first); Leave(first);       // each of its tasks that waits, and that does so no more
//   dependencies.OnEnd(task, group, state);        // each task that ends
//   dependencies.OnFound(ends);                    // how tasks had ended that were not open any more: the store knows
//   while (auto decided = dependencies.TakeDecided()) ...   // groups whose needs are met, or never can be
//
// What is waited for is a `source`: one range of ids, however many wait for it, with what is open of it and the first
// of it that did not succeed. All that is noted of a source only ever grows truer, so it does not matter in which order
// ends and what the store tells arrive, nor whether they arrive twice. Nothing here recurses: a group that is decided
// is queued, and whoever takes it ends or queues its tasks, a bounded number in each turn.
//
// Pure. Thread rule: one thread. Cost: OnEnd is nothing while nobody waits, else a look-up of the task by itself, one
// among the ranges of several tasks if there are any, and O(edges) where a source is decided. Memory: about 150 bytes for
// a group, and 150 for each of its dependencies that nobody else has.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "common/domain/dependency.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"

namespace muster::core {

// A range of which some tasks had ended before anybody waited for them: how, only the store knows.
struct AskedRange {
  TaskRange tasks;
  uint64_t ticket = 0;  // answers to an older question may not know all of it
};
struct RangeEnds {
  AskedRange asked;
  TaskId failed;                             // the first of them that did not succeed; 0: none
  TaskState failed_as = TaskState::kNone;    // UNKNOWN: the store does not know it (any more)
};

class Dependencies {
 public:
  enum class Standing : uint8_t { kMet, kWaits };
  // One that is not met, or cannot be.
  struct Unmet {
    DependencyCondition condition = DependencyCondition::kSuccess;
    TaskRange tasks;                         // the first range of it
    uint64_t count = 0;                      // of tasks, in all ranges
    uint64_t open = 0;                       // of those
    TaskId failed;                           // the first that did not succeed; 0: none that is known
    TaskState failed_as = TaskState::kNone;  // UNKNOWN: it is not known any more how it ended
  };
  struct Decided {
    TaskRange waiter;
    bool met = false;
    Unmet impossible;  // when not met: the one that cannot be
  };
  // How many tasks of a range are open.
  using OpenIn = std::function<uint64_t(TaskRange)>;

  // `waiter` is a group's range; `spec` its specification, whose dependencies are the list. Each range that it waits for
  // begins in the group that it lies in, and has other tasks than the waiter. kMet: all hold already, nothing was added.
  Standing Add(TaskRange waiter, TaskSpecPtr spec, const OpenIn& open_in);
  bool Waits(TaskId first) const { return waiters_.contains(first); }

  // A task of that group waits, or does so no more. A group of which nothing waits is forgotten.
  void Enter(TaskId first);
  void Leave(TaskId first);

  // `group`: the ids of the task's own group.
  void OnEnd(TaskId task, TaskRange group, TaskState state);
  void OnFound(const RangeEnds& ends);

  // The next group that is decided; its tasks wait until somebody moves them.
  std::optional<Decided> TakeDecided();
  bool any_decided() const { return !decided_.empty(); }
  // Ranges whose ends the store has to tell, each once. Up to `limit`.
  std::vector<AskedRange> TakeUnknown(size_t limit);
  bool any_unknown() const { return !unknown_.empty(); }

  // --- Reads.
  // Of a group that waits, what is not met: up to `limit`, and how many in all.
  std::vector<Unmet> UnmetOf(TaskId first, size_t limit, uint64_t* count) const;
  uint64_t waiting() const { return waiting_; }  // tasks
  size_t groups() const { return waiters_.size(); }
  size_t sources() const { return singles_.size() + ranges_.size(); }
  // Recomputes what the parts say of one another; `open_in` of what it says is open.
  void CheckInvariants(const OpenIn& open_in) const;

 private:
  struct Edge {
    TaskId waiter;
    uint32_t need = 0;
  };
  struct Source {
    uint64_t open = 0;
    TaskId failed;
    TaskState failed_as = TaskState::kNone;
    bool known = false;   // how all that ended before it was a source did so
    uint32_t dead = 0;    // edges whose waiter is gone
    uint64_t ticket = 0;  // of the question; 0: nobody asked
    absl::InlinedVector<Edge, 1> edges;

    bool Told() const { return open == 0 && known; }
  };
  // A dependency, over all of its ranges.
  struct Need {
    DependencyCondition condition;
    TaskState failed_as = TaskState::kNone;
    uint32_t parts = 0;  // sources that it still waits for
    TaskId failed;
  };
  struct Waiter {
    uint64_t count = 0;    // of the group's range
    uint64_t waiting = 0;  // tasks
    uint32_t unmet = 0;
    uint32_t impossible = kNone;  // the need that is
    bool decided = false;
    TaskSpecPtr spec;
    absl::InlinedVector<Need, 1> needs;
  };
  struct RangeLess {
    bool operator()(const TaskRange& a, const TaskRange& b) const {
      return a.first != b.first ? a.first < b.first : a.count < b.count;
    }
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  Source* Find(TaskRange range);
  const Source* Find(TaskRange range) const { return const_cast<Dependencies*>(this)->Find(range); }
  Source& FindOrMake(TaskRange range, const OpenIn& open_in);
  void Erase(TaskRange range);
  // What of a need one of its sources tells already; adds the edge when it will tell more.
  void Link(TaskRange range, Edge edge, Need* need, const OpenIn& open_in);

  void NoteEnd(TaskRange range, Source* source, TaskId task, TaskState state);
  void NoteFailed(Source* source, TaskId task, TaskState state);
  void Ask(TaskRange range, Source* source);
  // All of it has ended, as those who asked for the end alone wait for; or it is also known how.
  void TellEnded(const Source& source, bool of_any);
  void Judge(TaskId id, Waiter* waiter, uint32_t need);
  void Decide(TaskId id, Waiter* waiter);
  void Forget(TaskId first);
  void Unlink(TaskRange range);
  bool IsMet(const Need& need) const;
  // Those that are not met: the first `limit`, and how many there are.
  std::vector<Unmet> Describe(const Waiter& waiter, size_t limit, uint64_t* count) const;
  Unmet DescribeOne(const Waiter& waiter, uint32_t need) const;

  absl::flat_hash_map<TaskId, Source> singles_;
  absl::btree_map<TaskRange, Source, RangeLess> ranges_;  // of several tasks each, or none
  absl::flat_hash_map<TaskId, Waiter> waiters_;           // by the first id of the group
  std::deque<TaskId> decided_;
  std::deque<AskedRange> unknown_;
  uint64_t last_ticket_ = 0;
  uint64_t waiting_ = 0;
};

}  // namespace muster::core
