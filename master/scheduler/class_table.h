// The classes that have queued tasks: what each asks for, which lanes hold its tasks, whether it is parked or held.
//
// A class is there from its first lane to its last. Pure. Thread rule: one thread. Cost: O(1), and O(log n) in the
// parked classes or a class's lanes. Pointers to a class are good until another one comes or goes.
#pragma once

#include <cstdint>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "common/base/check.h"
#include "master/scheduler/stride_turns.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

using LaneIndex = uint32_t;

// To be looked at; found no room; waits for its key; waits for what the cluster has as a whole.
enum class Standing : uint8_t { kReady, kParked, kHeld, kStandby };

class ClassTable {
 public:
  struct Class {
    const ClassKey* key = nullptr;
    Standing standing = Standing::kReady;
    absl::btree_map<std::pair<QueueIndex, int32_t>, LaneIndex> lanes;  // by queue and priority
  };

  // The class of this key; a new one when there is none.
  ClassId For(const ClassKey& key);
  // Null: it is gone.
  const Class* Find(ClassId cls) const {
    const auto found = classes_.find(cls);
    return found == classes_.end() ? nullptr : &found->second;
  }
  // It must be there.
  Class& At(ClassId cls) {
    const auto found = classes_.find(cls);
    MUSTER_CHECK(found != classes_.end());
    return found->second;
  }
  const Class& At(ClassId cls) const { return const_cast<ClassTable*>(this)->At(cls); }

  void SetStanding(ClassId cls, Standing standing);
  const absl::btree_set<ClassId>& parked() const { return parked_; }

  // The lane is empty. The class goes with its last one.
  void RemoveLane(ClassId cls, QueueIndex queue, int32_t priority);

  void CheckInvariants() const;

 private:
  absl::node_hash_map<ClassKey, ClassId> ids_;
  absl::flat_hash_map<ClassId, Class> classes_;
  absl::btree_set<ClassId> parked_;
  uint64_t next_id_ = 1;
  const ClassKey* last_key_ = nullptr;  // neighbours are often alike
  ClassId last_id_;
};

}  // namespace muster::scheduler
