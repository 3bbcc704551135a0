// What every worker says to one kind of task: the long answer where Choose gives the short one. The same filters in
// their other form (filters.h, FindMisses) and the same rank, worker by worker and without the pools, so that each of
// the two is a check of the other; a property test holds them together.
//
//   Analyst analyst(requirements, avoid);
//   for (worker : there) analyst.LookAt(worker, {favourites.PlaceOf(worker.id), policy.Rank(worker)});
//   Analysis analysis = analyst.Finish();
//
// Cost: O(1) a worker, without words. Pure. Thread rule: one thread; what it looked at must stay until Finish.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"
#include "master/balancer/filters.h"

namespace muster::balancer {

// Why no worker that is there could ever take it.
enum class Hopeless : uint8_t {
  kNo,
  kNoWorkers,
  kNoExecutor,
  kUnhealthyExecutor,
  kLacksNeed,
  kLacksIsolation,
  kTooOld,       // none of them validates
  kHasExcluded,  // each of them has something that it excludes
  kNoneHasAll,
  kTooSmall,
};

// Workers that fail the same filter for the same cause.
struct MissGroup {
  Miss miss;
  uint32_t count = 0;
  std::vector<WorkerId> examples;  // the first kExamples by id
};

struct Analysis {
  static constexpr size_t kExamples = 3;

  uint32_t workers = 0;  // that are there
  Hopeless hopeless = Hopeless::kNo;
  std::optional<WorkerId> starts_on;  // where Choose would place it now

  // Each worker that would not take it now is in one group, by its first miss; most workers first.
  std::vector<MissGroup> groups;
  // The worker with the fewest misses; of equals the one that needs least to happen (room rather than state rather than
  // another offer), then the lowest id. 0: none, or it starts now.
  WorkerId nearest;
  std::vector<Miss> nearest_misses;
  // The change of the task that makes it start now and touches the fewest requirements.
  std::optional<Requirements> would_start_now;

  // Workers that could take it when they have room, and take work; by id.
  std::vector<WorkerId> candidates;
  // Of those: slots, and how many are taken; and whether one lacks nothing but cpu, memory, disk or named resources.
  uint64_t slots = 0;
  uint64_t used_slots = 0;
  bool slots_are_free = false;
};

// Who is asked first: favourites by their place (the same number for all others), then by the policy's rank. Of a task
// that is spread: how many of its kind are there, then who is emptier; packed: who is fuller.
struct Precedence {
  size_t place = 0;
  uint64_t rank = 0;

  friend auto operator<=>(const Precedence&, const Precedence&) = default;
};

class Analyst {
 public:
  // `requirements` must outlive it.
  Analyst(const Requirements& requirements, WorkerId avoid);

  // By ascending id. `precedence` as the policy has it for a free slot.
  void LookAt(const WorkerFacts& worker, Precedence precedence);
  Analysis Finish();

 private:
  void NoteOffer();
  void NoteCandidate(const WorkerFacts& worker);
  void NoteMisses(const WorkerFacts& worker);
  void NoteChange(const WorkerFacts& worker);
  void AddToGroup(WorkerId worker, Miss miss);
  Hopeless WhyHopeless() const;
  void NoteRoom(WorkerId worker, Precedence precedence);
  void ChooseOfTheEmptiest();

  const Requirements& requirements_;
  const WorkerId avoid_;
  Analysis analysis_;
  std::vector<Miss> misses_;  // of the worker that is looked at

  bool has_executor_ = false;        // some worker has it, and it is well
  bool has_sick_executor_ = false;   // some worker has it, and it is not
  std::vector<bool> has_need_;       // some worker has it
  std::vector<bool> is_free_of_;     // what is excluded: some worker does not have it
  bool has_all_ = false;             // some worker has executor and needs, and nothing that is excluded
  bool some_could_ = false;          // ...and is large enough
  bool another_could_ = false;       // ...and takes work, and is not the avoided one
  bool avoided_has_room_ = false;
  Precedence best_;  // of those that pass
  std::vector<std::tuple<uint64_t, WorkerId, size_t>> spread_;  // of a task that is spread: rank, worker, how many there
  std::pair<size_t, int> nearest_cost_;
  size_t change_cost_ = 0;
};

}  // namespace muster::balancer
