// The people and programs that use the cluster: they submit (each call with an id, repeated until it is answered),
// cancel, try lost tasks again, drain and resume workers, set and pause queues.
//
// A call may be refused, or answered into a connection that has broken: then it is made again, as our clients do. The
// edge's look into the store for a request id is the real handler's: only what is durable is answered from there.
// Thread rule: one thread. Ownership: everything given outlives it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/task_spec.h"
#include "master/core/events.h"
#include "tests/support/simulation/promises.h"
#include "tests/support/simulation/scene.h"
#include "tests/support/simulation/simulated_disk.h"
#include "tests/support/simulation/simulated_master.h"

namespace muster::simulation {

class Clients {
 public:
  Clients(Scene* scene, SimulatedMaster* master, SimulatedDisk* disk, Promises* promises)
      : scene_(*scene), master_(*master), disk_(*disk), promises_(*promises) {}

  // `calls` submits, some of them batches, at random times within `time`.
  void PlanSubmits(int calls, absl::Duration time);
  void Submit(TaskSpecPtr spec, uint64_t batch_rows = 0);
  // After some of those that are durable then.
  void SubmitAfterOthers(TaskSpecPtr spec, uint64_t batch_rows = 0);
  void CancelSomething();
  void Drain(const std::string& worker, absl::Duration deadline);
  void Resume(const std::string& worker);
  // A limit, a rate, a weight, or a pause that ends by itself.
  void ChangeAQueue();
  void ChangeThePlacement();

  void OnEffect(const core::Effect& effect);

  bool AllAnswered() const { return unanswered_ == 0; }

  // A task of random mode, length, retries and needs.
  TaskSpecPtr RandomSpec();

 private:
  struct Submission {
    core::SubmitTasks event;
    bool answered = false;
    bool wants_dependencies = false;  // drawn with the first call
  };
  size_t Add(TaskSpecPtr spec, uint64_t batch_rows, TaskId retry_of);
  void Call(size_t index);
  void Answered(size_t index);
  void DrawDependencies(core::SubmitTasks* event);
  void RetryLost(const core::TaskChanged& changed);

  Scene& scene_;
  SimulatedMaster& master_;
  SimulatedDisk& disk_;
  Promises& promises_;
  std::vector<Submission> submissions_;
  size_t unanswered_ = 0;
  uint64_t calls_ = 0;
};

}  // namespace muster::simulation
