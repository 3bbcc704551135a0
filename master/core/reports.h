// What workers say about attempts: started, ended, given back, refused. Decides what each means for its task; what is
// not about a current attempt is acknowledged, counted, noted, and changes nothing (semantics.md, P2 and P5).
//
// Reports of a session that is not the worker's newest are dropped, counted, and logged as one line per worker and
// second: Hello of the newest says the same, and results are repeated until they are acknowledged.
// Thread rule: one thread.
#pragma once

#include <deque>
#include <string>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "common/domain/attempt.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"
#include "master/core/events.h"
#include "master/core/losses.h"
#include "master/core/transitions.h"

namespace muster::core {

class Reports {
 public:
  Reports(Cluster* cluster, Transitions* transitions, Dispatching* dispatching, Losses* losses)
      : cluster_(*cluster), transitions_(*transitions), dispatching_(*dispatching), losses_(*losses) {}

  void OnReports(const Moment& turn, const WorkerReports& reports);
  // Says what was dropped; the rest of a second's at a later turn.
  void OnTurn(const Moment& turn);

  // The worker says in Hello what it holds: what is current is taken up again, the rest is stopped.
  void OnHello(const Moment& turn, WorkerId worker, const std::vector<HeldAttempt>& held);

 private:
  // The task whose current attempt is `key`, on this worker; null otherwise.
  Task* Current(WorkerId worker, const AttemptKey& key);

  void OnStarted(const Moment& turn, WorkerId worker, const AttemptStartedReport& report);
  void OnValidating(const Moment& turn, WorkerId worker, const AttemptStartedReport& report);
  void OnResult(const Moment& turn, WorkerId worker, SessionNumber session, const AttemptReportPtr& report);
  void OnGivenBack(const Moment& turn, WorkerId worker, const AttemptKey& key);
  void OnRefused(const Moment& turn, WorkerId worker, const AttemptRefusal& refusal);
  void TakeUp(const Moment& turn, WorkerId worker, Task& task, HeldAttempt::Phase phase);

  void SetRunning(const Moment& turn, Task& task, bool started, absl::Time since);
  void SetValidating(const Moment& turn, Task& task, absl::Time started);
  void Refused(const Moment& turn, Task& task, WorkerId worker, const std::string& why);
  // What the end says of the worker.
  void NoteHealth(const Moment& turn, WorkerId worker, const Task& task, const AttemptReport& report);
  void Learn(const Moment& turn, WorkerId worker, const Task& task, const AttemptReport& report, bool failed);
  void Decide(const Moment& turn, Task& task, const AttemptReportPtr& report);
  void Failed(const Moment& turn, Task& task, const AttemptReportPtr& report);
  void Preempted(const Moment& turn, Task& task, const AttemptReportPtr& report);
  void LostOnWorker(const Moment& turn, Task& task, const AttemptReportPtr& report);

  void Drop(const WorkerReports& reports);
  void Stale(const Moment& turn, WorkerId worker, const AttemptKey& key, const std::string& what);
  bool WasSkipped(TaskId id) const;
  void Remember(const AttemptKey& key);

  Cluster& cluster_;
  Transitions& transitions_;
  Dispatching& dispatching_;
  Losses& losses_;
  // Results that were applied a moment ago: their repetition is no news. Bounded.
  absl::flat_hash_set<AttemptKey> applied_;
  std::deque<AttemptKey> applied_in_order_;
  // Dropped and not yet logged.
  absl::btree_map<std::string, int64_t> superseded_by_worker_;
  absl::Time log_superseded_at_ = absl::InfinitePast();
};

}  // namespace muster::core
