// What the cluster has as a whole and no worker by itself: licences, the capacity of an API. How much of each is taken,
// by whom, and for whom it is kept.
//
//   resources.Start(task, amounts);  resources.Stop(task, amounts);      // each task that comes to run, and that does no more
//   if (auto lack = resources.LackOf(asker, now, may_start)) {
//     resources.Wait(asker, now);                                        // its class stands by (resource_offers.h)
//   } else if (!PlacedSomewhere(asker)) {
//     resources.StepOut(asker);                                          // its class waits for something else
//   }
//   resources.Leave(task);                                               // it is queued no more
//
// Nobody takes more than is there; a task that runs already is counted whatever there is (a restart with less of it).
//
// A wide want is not starved by narrow ones: whoever was found to lack something stands in line, in the order of the
// queues; of those who have waited for `reservation_after` the first that may start has a claim, and who comes after it
// takes only what it can do without. Who comes before it takes as before, and so does its own class, whose tasks in other
// queues the queues' weights put before it or after it. A task takes all it asks for at once and stands
// in line for all of it, and there is one order for all resources: nobody holds one thing while waiting for another.
//
// Cost: O(log n) in the tasks of a resource; to look also those before the asker that have waited long and may not start.
// Pure, deterministic. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/scheduler/task_queues.h"

namespace muster::scheduler {

class ClusterResources {
 public:
  using Amounts = ClusterAmounts;  // each above 0
  // One that looks for room; `order` as its queue sorts: since - priority * aging interval.
  struct Asker {
    TaskId task;
    ClassId cls;  // 0: it is not queued
    absl::Time order;
    const Amounts& amounts;
  };
  // What it cannot have now. `kept_for`: there is enough, but that task has a claim to it; 0: it is taken.
  struct Lack {
    std::string name;
    int64_t amount = 0;
    TaskId kept_for;
  };
  struct Status {
    std::string name;
    int64_t total = 0;
    int64_t used = 0;  // may be more than the total after a restart
  };
  // Whether a task in line could start if it had what it asks for: one whose queue is paused has no claim.
  using MayStart = absl::FunctionRef<bool(TaskId)>;

  ClusterResources(std::map<std::string, int64_t> totals, absl::Duration reservation_after);

  bool Has(std::string_view name) const { return resources_.contains(name); }
  bool empty() const { return resources_.empty(); }

  // --- What runs.
  void Start(TaskId task, const Amounts& amounts);
  void Stop(TaskId task, const Amounts& amounts);

  // --- What waits.
  std::optional<Lack> LackOf(const Asker& asker, absl::Time now, MayStart may_start) const;
  void Wait(const Asker& asker, absl::Time now);
  void StepOut(const Asker& asker);
  void StepOut(TaskId task);  // it is out of the queues for a while; one that is in no line is ignored
  void Leave(TaskId task);    // one that never waited is ignored
  // Sorts out who has waited for long enough by now. LackOf is right without; it costs less after it.
  void Ripen(absl::Time now);
  // Something has become free, or a claim is gone, since it was asked last.
  bool TakeChanged() { return std::exchange(changed_, false); }
  bool changed() const { return changed_; }

  // --- Reads.
  // The first of it that the cluster has too little of, ever. Empty: there is enough.
  std::optional<Status> NeverEnough(const Amounts& amounts) const;
  Status StatusOf(std::string_view name) const;
  std::vector<Status> All() const;  // by name
  // How often it could be taken now, whoever has a claim.
  uint64_t TimesFree(const Amounts& amounts) const;
  bool AreFree(const Amounts& amounts) const { return TimesFree(amounts) > 0; }
  std::vector<TaskId> TakersOf(std::string_view name) const;

  void CheckInvariants() const;

 private:
  using Place = std::pair<absl::Time, TaskId>;
  struct Claim {
    ClassId cls;
    int64_t amount = 0;
    absl::Time since;
  };
  struct Resource {
    int64_t total = 0;
    int64_t used = 0;
    absl::btree_map<TaskId, int64_t> takers;
    // Who stands in line: for less than reservation_after, by since when; and for longer.
    absl::btree_map<std::pair<absl::Time, Place>, Claim> young;
    absl::btree_map<Place, Claim> ripe;

    int64_t free() const { return total - used; }
  };
  struct Waiting {
    absl::Time since;  // when it first lacked something: a wait for something else does not set it back
    absl::Time order;
    ClassId cls;
    std::vector<std::string> names;  // of the lines that it stands in
  };

  static std::optional<TaskId> KeptFor(const Resource& resource, const Asker& asker, int64_t amount, absl::Time matured,
                                       MayStart may_start);

  const absl::Duration reservation_after_;
  std::map<std::string, Resource, std::less<>> resources_;
  absl::flat_hash_map<TaskId, Waiting> waiting_;
  absl::btree_set<std::pair<ClassId, TaskId>> in_line_;
  bool changed_ = false;
};

}  // namespace muster::scheduler
