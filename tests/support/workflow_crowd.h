// Many workflows at once through the real core, with injected time: workers that run whatever they are sent for a random
// time, and an eye on every bound at every step.
//
//   WorkflowCrowd crowd(config, {8, 8}, 1);      // two workers of 8 slots, seed 1
//   size_t wide = crowd.Submit(Fan(1000));
//   crowd.Run();                                 // until everything that can end has ended
//   crowd.flow(wide).ended, crowd.flow(wide).starts ...
//
// Nothing is stored and nothing fails. A bound that is passed fails the test. Thread rule: one thread.
#pragma once

#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/workflow.h"
#include "master/core/cluster_core.h"

namespace muster::testing {

// Nodes one after the other, each a task.
core::SubmitWorkflow Chain(uint32_t length);
// One task, so many that need it, and one that needs all of those.
core::SubmitWorkflow Fan(uint64_t width);

class WorkflowCrowd {
 public:
  struct Flow {
    TaskId id;
    uint64_t tasks = 0;
    uint64_t running = 0;        // tasks that a worker has
    uint64_t most_running = 0;
    uint64_t max_parallel = 0;   // 0: none
    WorkflowState state = WorkflowState::kPending;
    absl::Time submitted, ended;
    std::vector<absl::Time> starts;
  };

  // Tasks take `mean`, give or take a half.
  WorkflowCrowd(core::CoreConfig config, std::vector<uint32_t> slots, uint32_t seed, absl::Duration mean = absl::Seconds(1));

  size_t Submit(core::SubmitWorkflow submit);
  void Apply(core::Event event);
  void Run();

  const Flow& flow(size_t index) const { return flows_[index]; }
  const std::vector<Flow>& flows() const { return flows_; }
  uint64_t slots() const { return slots_; }
  uint64_t most_flows_running() const { return most_flows_running_; }
  absl::Time now() const { return now_; }
  absl::Duration busy() const { return busy_; }  // slots taken, over time
  uint64_t turns() const { return turns_; }

 private:
  struct Worker {
    core::WorkerReports reports;
    uint32_t slots = 0;
    uint32_t running = 0;
  };
  struct Attempt {
    absl::Time ends;
    AttemptKey key;
    WorkerId worker;
    friend bool operator>(const Attempt& a, const Attempt& b) { return std::pair(a.ends, a.key.task) > std::pair(b.ends, b.key.task); }
  };

  void Join(const std::string& name, uint32_t slots);
  void Turn();
  void Look();
  void OnStart(const core::AttemptRow& row);
  void OnState(const core::WorkflowStateRow& row);
  bool ReportNext();
  Flow& FlowOf(TaskId task) { return flows_[std::prev(by_first_task_.upper_bound(task))->second]; }

  const core::CoreConfig config_;
  std::mt19937 random_;
  const absl::Duration mean_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  core::Effects effects_;
  std::unique_ptr<core::ClusterCore> core_;
  std::map<std::string, WorkerId> names_;
  std::map<WorkerId, Worker> workers_;
  std::priority_queue<Attempt, std::vector<Attempt>, std::greater<>> attempts_;
  std::vector<Flow> flows_;
  std::map<TaskId, size_t> by_first_task_, by_id_;
  std::set<TaskId> running_flows_;
  uint64_t slots_ = 0, most_flows_running_ = 0, turns_ = 0;
  absl::Duration busy_;
};

}  // namespace muster::testing
