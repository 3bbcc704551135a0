// The master's loop thread: the only one that touches the core and the only one that commits.
//
//   gRPC threads ──Post/Inspect──▶ mailbox ──▶ [ apply all at one `now`, core.Turn, store.Commit ] ──▶ listeners
//
// A turn takes what the mailbox holds (bounded by events and bytes; the rest waits for the next turn), applies it,
// schedules once, commits once, and only then releases the effects, in order, to each listener. While a commit is
// synced the mailbox fills: group commit without a timer. A turn that only has activity to write needs no sync of its
// own: its records ride with the next commit, at the latest after `activity_delay`.
//
// Low on room (the store says so): Post says no to submits alone, so that what finishes work still finds room.
// Disk full (RESOURCE_EXHAUSTED): the turn is kept and its commit tried again; meanwhile Post and Inspect say no with
// Refusal()'s reason, sessions are not read, so results stay on their workers, and PostAlways goes on. Any other failed
// commit is fatal: nothing of that turn is released, and `on_fatal` is called on the loop's thread, which then ends.
//
// Time: no lease expires because the master was deaf. While a commit takes long or waits for room, the lease keeper's
// thread applies heartbeats and answers them; what else they cause belongs to the next turn. After a stall that nobody
// could bridge (a stopped process) the loop's time goes on from where it stood and catches up slowly, and waiting
// heartbeats are applied first.
//
// Thread rule: Post, PostAlways, Inspect, Refusal, Unhealthy, Unready, Figures from any thread; Start and Join from
// the composition root. Ownership: core, store, clock and listeners must outlive the loop's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/runtime/clock.h"
#include "common/telemetry/metrics.h"
#include "master/app/lease_keeper.h"
#include "master/app/loop_mail.h"
#include "master/app/loop_metrics.h"
#include "master/app/loop_time.h"
#include "master/app/patient_commit.h"
#include "master/core/cluster_core.h"
#include "master/core/ports.h"
#include "master/store/store.h"

namespace muster::master {

struct LoopOptions {
  size_t mailbox_events = 65536;
  int64_t mailbox_bytes = int64_t{256} << 20;
  size_t turn_events = 4096;
  int64_t turn_bytes = int64_t{32} << 20;
  absl::Duration activity_delay = absl::Seconds(1);
  absl::Duration longest_sleep = absl::Seconds(1);
  absl::Duration full_disk_retry = absl::Milliseconds(200);
  absl::Duration slow_commit = absl::Milliseconds(250);  // one that takes longer is bridged by the lease keeper
  absl::Duration stuck_after = absl::Seconds(15);  // /healthz then says no
  // After the core has said Stopped, heartbeats are still answered for this long, so that every worker that runs
  // something hears how long its lease now holds.
  absl::Duration linger = absl::Seconds(2.5);
  std::function<void(const absl::Status&)> on_fatal;
};

class MasterLoop final : public core::EventSink, public core::Inspector {
 public:
  MasterLoop(core::ClusterCore* core, store::Store* store, const runtime::Clock* clock,
             telemetry::Metrics* metrics, LoopOptions options);
  ~MasterLoop() override;

  // Before Start. Each turn's effects go to all listeners, in the order of registration.
  void AddListener(core::EffectListener* listener) { listeners_.push_back(listener); }

  // Runs core.Start, and then turns until the core has said Stopped, Abort, or a fatal commit. Listeners are called
  // for every turn with effects or a commit.
  void Start();
  // Ends without another commit; for tests and for a failed start.
  void Abort();
  void Join();
  // Until what recovery itself causes is durable, or cannot be just now (a full disk), or the loop has ended.
  void WaitStarted() ABSL_LOCKS_EXCLUDED(state_mutex_);
  // True once the thread has ended in order (the core said Stopped); false: not within `wait`.
  bool WaitStopped(absl::Duration wait) ABSL_LOCKS_EXCLUDED(state_mutex_);

  bool Post(core::Event event) override;
  void PostAlways(core::Event event) override;
  absl::Status Refusal() const override ABSL_LOCKS_EXCLUDED(state_mutex_);
  bool Inspect(std::function<void(const core::ClusterCore& core, absl::Time now)> look) override;

  // More than half full: who can wait (a session's next read) should.
  bool congested() const;
  // Empty: well. For /healthz and /readyz; never blocks on a turn.
  std::string Unhealthy() const;
  std::string Unready() const ABSL_LOCKS_EXCLUDED(state_mutex_);
  LoopFigures Figures() const ABSL_LOCKS_EXCLUDED(state_mutex_);

 private:
  using Look = LoopMail::Look;

  bool IsStopping() const ABSL_LOCKS_EXCLUDED(state_mutex_);
  bool Enqueue(LoopMail::Content content, int64_t bytes);
  void Run();
  bool Turn();              // false: the loop ends
  bool FinishTurn();        // commit, release, look; false: the loop ends
  void TellSurroundings();
  void TakeMail();
  void ApplyLeasesFirst();  // what keeps workers alive must not wait behind a flood
  void ApplyMail();
  void Apply(LoopMail::Content content, core::Effects* effects);
  void AnswerLeases();      // the lease keeper's thread, while the loop's waits for the store
  void TakeMeanwhile();
  bool CommitTurn();
  bool Commit();
  bool Release();           // false: the core said Stopped
  void RunLooks();
  void Linger();
  void LingerOn(LoopMail::Content content, absl::flat_hash_set<std::string>* unanswered);
  void End();
  absl::Duration SleepTime() const;
  void NoteStarted() ABSL_LOCKS_EXCLUDED(state_mutex_);
  void TellOfRoom();        // a line in the log when little room begins to refuse new tasks, and one when it ends
  void Publish();
  void Beat();

  // Never change after construction.
  core::ClusterCore* const core_;
  store::Store* const store_;
  const runtime::Clock* const clock_;
  const LoopOptions options_;
  std::vector<core::EffectListener*> listeners_;  // fixed by Start
  LoopMetrics metrics_;

  // Lock themselves.
  LoopMail mail_;
  std::atomic<int64_t> last_beat_ns_{0};  // of the clock, when the loop was last seen alive

  // The loop thread's own; the lease keeper's while an Opening lives.
  LoopTime time_;
  absl::Time now_;
  absl::Duration planned_sleep_;
  std::vector<Look> looks_;
  core::Effects effects_;       // activity that waits for a commit stays in its transaction
  core::Effects meanwhile_;     // of heartbeats that were applied during a commit: for the next turn
  absl::Time activity_since_ = absl::InfiniteFuture();
  bool committed_ = false;      // in this turn
  bool told_low_ = false;       // the log knows that there is little room
  CommitNumber last_commit_;
  LoopFigures own_figures_;
  absl::Time workers_counted_ = absl::InfinitePast();

  mutable absl::Mutex state_mutex_;
  LoopFigures figures_ ABSL_GUARDED_BY(state_mutex_);
  bool started_ ABSL_GUARDED_BY(state_mutex_) = false;  // or in trouble, or ended: nobody waits for it any more
  bool stopping_ ABSL_GUARDED_BY(state_mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(state_mutex_) = false;

  std::thread thread_;
  LeaseKeeper keeper_;  // its thread uses all of the above
  PatientCommit commit_;
};

}  // namespace muster::master
