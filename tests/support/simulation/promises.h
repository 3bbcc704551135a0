// What muster promises (P1 to P7 of semantics.md), checked as an outsider would: by what was answered, what became
// durable, what really ran, and when. Neither core is asked what it believes, except for the one that is looked at.
//
//   P1  an OK names tasks that are durable; each of them has an outcome in the end         Answered, AllEnded
//   P2  one outcome; what watchers are told is it; a late result decides nothing           Committed, Told
//   P3  one request id, one answer, however often it is called and whoever answers         Answered
//   P4  HOLD runs at most once; RERUN_AFTER_FENCE never twice at a time, and never an
//       older attempt after a newer one; what never ran
//       uses up nothing; preemption uses up nothing; POISONED means that so many of its
//       workers' processes died; FAILED means that so many attempts failed                 Begins, Committed
//   P5  an attempt is durable before it is sent, is sent once, runs once, and only on the
//       worker that it names; orders go out on the newest session alone; no worker obeys
//       an older (epoch, session) than it has obeyed                                       Releases, Begins, Obeys
//   P6  LOST after silence alone: not earlier, and not much later; no work for a worker
//       that is not ACTIVE or has missed 3 heartbeats; a drain ends inside its deadline    Lost, Places, Sends, Left
//   P7  refusals have a reason and a delay; never more runs than there are slots, nor than
//       the limits of queues and keys allow; with a limit of 1 in order of arrival, each
//       to its end; nor more licences are taken than there are                             Answered, Uses, Releases, Begins
//   P10 no attempt starts before what its task depends on has durably ended as asked;
//   exactly those are cancelled for it that never could start                            Releases, Committed
//   and an acknowledged result is durable, a cancelled task is not dispatched, a task that
//   killed two workers runs beside no other such task                                      Releases
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "master/core/cluster_core.h"
#include "master/core/effects.h"
#include "tests/support/memory_store.h"
#include "tests/support/simulation/scene.h"

namespace muster::simulation {

class Promises {
 public:
  Promises(Scene* scene, const testing::MemoryStore* store) : scene_(*scene), store_(*store) {}

  // --- What clients see.
  void Answered(const std::string& request_id, const core::SubmitAnswer& answer);
  bool AllEnded() const;  // every task that is durable

  // --- What the master does.
  void Committed(const core::Transaction& transaction);
  void Places(const core::Assign& assign, const core::ClusterCore& core);  // in this turn
  void Releases(const core::Effect& effect);
  void AsksForSession(const core::OpenSession& open) { newest_session_[open.worker] = open.session; }
  void DropsSession(const core::CloseSession& close);
  void MasterStarts(const core::RecoveredState& state);
  // `last_heard`: when its last heartbeat arrived. `calm_since`: the master has not stood still since.
  void Lost(const std::string& worker, absl::Time last_heard, absl::Time calm_since);
  void Sends(const std::string& worker, absl::Time last_heard, absl::Time calm_since);

  // --- What workers do.
  void Begins(AttemptKey key, OnWorkerLoss mode, const std::string& worker);
  void Ends(AttemptKey key);
  void Uses(const std::string& worker, uint32_t used, uint32_t slots);
  void ProcessDied(const std::string& worker) { ++deaths_[worker]; }
  void Obeys(const std::string& worker, Incarnation incarnation, Epoch epoch, SessionNumber session);
  void Left(const std::string& worker, absl::Duration too_late);

 private:
  void ReleasesAssign(const core::Assign& assign);
  void StaysInLimits(const core::Assign& assign);
  void NewestOnly(WorkerId worker, SessionNumber session, const char* what);
  void Ended(const core::OutcomeRow& row);
  void Told(const core::TaskChanged& changed);
  void CheckClosing(const core::AttemptEndRow& row);
  bool WorkerDiedSince(AttemptKey key) const;  // it began
  enum class Needs { kMet, kOpen, kImpossible };
  Needs NeedsOf(const TaskSpec& spec) const;  // by what is durable
  void CheckNeeds(const core::OutcomeRow& row, const TaskSpec& spec, bool cancelled);
  void CheckLicences(AttemptKey key);
  bool HasSuspectBeside(TaskId task, const core::AttemptRow& row) const;

  Scene& scene_;
  const testing::MemoryStore& store_;

  std::map<std::string, std::vector<TaskRange>> answers_;
  absl::flat_hash_set<AttemptKey> sent_;
  absl::flat_hash_map<AttemptKey, std::pair<std::string, uint64_t>> began_;  // where, and its deaths until then
  std::map<std::string, uint64_t> deaths_;                                   // of a worker's processes
  absl::flat_hash_map<TaskId, int> running_;
  absl::flat_hash_map<TaskId, AttemptNumber> newest_begun_;
  absl::flat_hash_map<TaskId, int> times_;
  absl::flat_hash_map<WorkerId, SessionNumber> newest_session_;  // of this master; 0: none
  std::map<std::pair<std::string, Incarnation>, std::pair<Epoch, SessionNumber>> obeyed_;
  uint64_t open_tasks_ = 0;  // by the rows
  absl::flat_hash_set<AttemptKey> of_earlier_masters_;
};

}  // namespace muster::simulation
