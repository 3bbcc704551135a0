// The real core with injected time and a store in memory, driven one event at a time. Each step applies the event, runs
// the turn, commits, and checks all invariants; the effects of the step are then there to look at.
//
//   TestCluster cluster;
//   cluster.Join("a", 2);                       // joined, session open, nothing held
//   TaskId task = cluster.Submit(Spec());
//   EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
//   cluster.Started(task); cluster.Exit(task, 0);
//
// Thread rule: one thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/task_spec.h"
#include "master/core/cluster_core.h"
#include "tests/support/memory_store.h"

namespace muster::testing {

// A task for "command" that takes one slot; `change` makes it another one.
TaskSpecPtr Spec(const std::function<void(TaskSpec&)>& change = nullptr);
WorkerOffer Offer(uint32_t slots, std::vector<std::pair<std::string, std::string>> labels = {});
AttemptReportPtr Report(AttemptKey key, EndReason reason, int code = 0, bool started = true, bool stopped = false);

class TestCluster {
 public:
  explicit TestCluster(core::CoreConfig config = {});
  ~TestCluster();

  // --- Steps.
  const std::vector<core::Effect>& Apply(core::Event event);
  const std::vector<core::Effect>& Turn();
  void Advance(absl::Duration by);              // one turn at the end of it
  void AdvanceBeating(absl::Duration by, const std::vector<std::string>& workers);  // they heartbeat meanwhile
  void SetClock(absl::Time now) { now_ = now; }  // before a restart: `now` never goes back within a run
  // The master is killed and started again on what is stored.
  void Restart(core::CoreConfig config = {});

  // --- Workers.
  struct Worker {
    WorkerId id;
    Incarnation incarnation;
    SessionNumber session;  // the one that was asked for last
    bool open = false;
    WorkerOffer offer;
  };
  void Join(const std::string& name, uint32_t slots, std::vector<core::HeldAttempt> held = {});
  void JoinOnly(const std::string& name, WorkerOffer offer, Incarnation incarnation);
  void Hello(const std::string& name, std::vector<core::HeldAttempt> held = {});
  void Heartbeat(const std::string& name);
  void CloseSession(const std::string& name);
  // The process dies and another starts under its name.
  void Reincarnate(const std::string& name);
  Worker& worker(const std::string& name) { return workers_[name]; }

  // --- Tasks.
  TaskId Submit(TaskSpecPtr spec);
  core::SubmitAnswer SubmitAll(core::SubmitTasks event);
  core::CancelAnswer Cancel(TaskId task, std::string reason = "not wanted");
  AttemptKey KeyOf(TaskId task);                 // of the current attempt
  std::string WorkerOf(TaskId task);
  void Started(TaskId task);
  void Validating(TaskId task);
  void StartedAs(const std::string& worker, AttemptKey key);
  void Exit(TaskId task, int code);
  void Succeed(TaskId task, NamedValues outputs);
  void End(TaskId task, EndReason reason, bool started = true, bool stopped = false);
  void ReportAs(const std::string& worker, AttemptReportPtr report);
  void GiveBack(TaskId task);
  void Refuse(TaskId task, const std::string& why);

  // --- What is seen. Ended tasks: as the store has them.
  TaskState StateOf(TaskId task) const;
  std::string ReasonOf(TaskId task) const;
  const MemoryStore::StoredTask& Stored(TaskId task) const { return *store_.Find(task); }

  template <typename E>
  std::vector<E> Seen() const {  // in the last step
    std::vector<E> found;
    for (const auto& effect : effects_.effects) {
      if (const auto* one = std::get_if<E>(&effect)) found.push_back(*one);
    }
    return found;
  }
  const core::Transaction& transaction() const { return effects_.transaction; }

  bool answers_find_ends = true;  // as the store does; else the test does

  core::ClusterCore& core() { return *core_; }
  MemoryStore& store() { return store_; }
  absl::Time now() const { return now_; }

 private:
  void Finish();
  void AnswerFindEnds();
  void Follow(const core::Effect& effect);

  MemoryStore store_;
  absl::Time now_;
  core::Effects effects_;
  std::unique_ptr<core::ClusterCore> core_;
  std::map<std::string, Worker> workers_;
  uint64_t calls_ = 0;
  uint64_t incarnations_ = 0;
};

}  // namespace muster::testing
