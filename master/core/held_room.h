// Room that is held for wide tasks, so that narrow ones which keep coming do not starve them.
//
// A task that asks for more than one slot (several of them, or cpu, memory, disk or a named resource) and finds no room
// is overtaken when one behind it in the line starts on a worker that could serve it. One that has waited for
// `reservation_after` and is overtaken then gets a worker that is emptied for its class: the one that lacks least. That
// worker takes nothing else until the first of the class fits there, in its turn as the line has it. So no priority and
// no share of a queue is turned round: a task of a queue that is not owed a turn is not overtaken. It ends when the class
// wants it no more, its queue is paused, the worker leaves service or shrinks, or nothing came of it for a minute; then
// another worker is tried, each time for twice as long, since what runs there may never end. At most an eighth of the
// workers is emptied at a time, but always one may be.
//
// Cost: looks ten times a second at most, each at most 4,096 parked heads and four times all workers; at a placement
// nothing but while somebody could be overtaken. Source of the idea: the reservation of EASY backfilling (Lifka, 1995),
// without backfilling. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"

namespace muster::core {

class HeldRoom {
 public:
  HeldRoom(Cluster* cluster, Dispatching* dispatching) : cluster_(*cluster), dispatching_(*dispatching) {}

  // The worker has changed, or is gone.
  void Changed(WorkerId worker);
  // Whether something that is held has room by now, and which worker has it for that class.
  bool ready() const { return !ready_.empty(); }
  std::optional<WorkerId> RoomFor(scheduler::ClassId cls) const;

  // Before the task of that class starts there, in a slot: what is held for it is let go, and whom it overtakes is noted.
  void Starts(const scheduler::NextTask& next, WorkerId worker);
  // At the beginning of a round: what the last one left over.
  void Look(const Moment& turn);
  // While room is held: it may have to be let go.
  absl::Time NextDue() const { return cluster_.held_room.empty() ? absl::InfiniteFuture() : next_look_; }

 private:
  struct Watched {
    TaskId task;
    scheduler::ClassId cls;
    bool overtaken = false;
  };
  // What came of holding room for a class, until one of it starts.
  struct Tried {
    uint32_t holds = 0;
    absl::flat_hash_map<WorkerId, uint32_t> in_vain;
  };

  void NoteOvertaken(const scheduler::NextTask& next, WorkerId worker);
  void LetGoOf(WorkerId worker);
  void IsAnother(WorkerId worker);  // it takes work now that it did not take, or no more
  void LetGoOfUnwanted(const Moment& turn);
  void LetGoOfTheFurthest(scheduler::ClassId cls);
  bool Wanted(const Moment& turn, WorkerId worker, const HeldFor& held) const;
  void HoldForTheOvertaken(const Moment& turn);
  void Hold(const Moment& turn, const Watched& watched, WorkerId worker);
  std::optional<WorkerId> LacksLeast(const Watched& watched) const;
  uint32_t HoldsOf(scheduler::ClassId cls) const;
  bool WaitsIn(TaskId task, scheduler::ClassId cls) const;
  void WatchTheLine(const Moment& turn);
  void NameOn(WorkerId worker, TaskId task);
  TaskId Unnamed(scheduler::ClassId cls) const;
  bool MoreMayBeEmptied() const;

  Cluster& cluster_;
  Dispatching& dispatching_;
  absl::btree_set<WorkerId> ready_;                           // of cluster.held_room: it fits there
  absl::flat_hash_map<scheduler::ClassId, uint32_t> holds_;   // of cluster.held_room: how many
  absl::flat_hash_map<scheduler::ClassId, Tried> tried_;
  std::vector<Watched> watched_;                              // the first in line that have waited for long enough
  size_t passed_over_ = 0;                                    // of those: not watched, since nobody overtook them
  uint32_t starts_ = 0;                                       // since the last look
  absl::Time next_look_ = absl::InfinitePast();
};

}  // namespace muster::core
