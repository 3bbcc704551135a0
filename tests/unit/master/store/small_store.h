// A store with some tens of tasks in which every table has rows that agree with each other and with the activity log.
#pragma once

#include <string>
#include <vector>

#include "common/domain/scheduled_work.h"
#include "muster/v1/workflow.pb.h"
#include "master/store/sqlite_store.h"
#include "store_fixture.h"

namespace muster::store {

// Writes one commit after the other.
class SmallStore {
 public:
  explicit SmallStore(Store* store) : store_(store) {}

  void FillAll() {
    Singles();
    Batch();
    Retries();
    Held();
    Settings();
    for (uint64_t i = 0; i < 3; ++i) Succeeded(40 + i);
  }

  // Accepted, dispatched and ended, in three commits.
  void Succeeded(uint64_t id) {
    Accept(SingleTask(id, MakeSpec("late-" + std::to_string(id))));
    Dispatch(id, 1);
    Commit();
    End(id, 1, TaskState::kSucceeded, "the output of " + std::to_string(id));
    Commit();
  }

  void Commit() {
    auto commit = store_->Commit(next_);
    EXPECT_TRUE(commit.ok()) << commit.status();
    next_ = {};
    ++seconds_;
  }

  void Accept(core::SpecificationRow row) {
    Log(activity::TaskAccepted{{row.first, row.count}, row.batch, row.spec->owner, row.spec->queue});
    next_.specifications.push_back(std::move(row));
  }
  void Dispatch(uint64_t id, uint32_t number, const std::string& worker = "w1") {
    Log(activity::AttemptDispatched{Key(id, number), worker});
    next_.attempts.push_back(Attempt(id, number, worker));
  }
  void End(uint64_t id, uint32_t number, TaskState state, const std::string& output = "") {
    const bool is_told = state == TaskState::kSucceeded || state == TaskState::kFailed;
    Log(activity::TaskEnded{Key(id, number), state, EndReason::kExited, 0, "why"});
    next_.outcomes.push_back(
        Outcome(id, state, number, is_told ? Report(id, number, output, state == TaskState::kFailed) : nullptr));
  }
  void EndAttempt(uint64_t id, uint32_t number, EndReason reason, const std::string& output = "") {
    core::AttemptEndRow row;
    row.key = Key(id, number);
    row.reason = reason;
    row.used_attempt = reason == EndReason::kExited;
    row.used_worker_loss = reason == EndReason::kLost;
    row.ended = At(seconds_);
    row.retry_at = At(seconds_ + 1);
    row.message = "attempt " + std::to_string(number);
    if (reason == EndReason::kExited) row.report = Report(id, number, output, 1);
    Log(activity::AttemptEnded{row.key, "w1", reason, 1, row.message});
    next_.attempt_ends.push_back(std::move(row));
  }

 private:
  template <typename Record>
  void Log(Record record) {
    next_.activity.push_back({At(seconds_), std::move(record)});
  }

  void Singles() {
    for (uint64_t id = 1; id <= 9; ++id) {
      Accept(SingleTask(id, MakeSpec(id % 2 == 0 ? "even" : "", id % 3 == 0 ? "nightly" : "")));
      if (id <= 7) Dispatch(id, 1, id % 2 == 0 ? "w2" : "w1");
    }
    core::RequestRow request;
    request.owner = "ann@host";
    request.request_id = "r-1";
    request.digest.fill(7);
    request.tasks = {{TaskId(1), 9}};
    request.time = At(1);
    next_.requests.push_back(request);
    Commit();
    End(1, 1, TaskState::kSucceeded, "one\n");
    End(2, 1, TaskState::kFailed, "two\n");
    End(3, 1, TaskState::kPoisoned);
    next_.cancels.push_back({{TaskId(4), 1}, "bob", "not wanted", At(2)});
    Log(activity::CancelRequested{TaskId(4), "bob", "not wanted"});
    End(4, 1, TaskState::kCancelled);
    Commit();
  }

  void Batch() {
    Accept(BatchPart(10, 11, 6));
    Accept(BatchPart(10, 17, 3, 7));
    for (uint64_t id = 11; id <= 13; ++id) Dispatch(id, 1);
    Commit();
    for (uint64_t id = 11; id <= 13; ++id) End(id, 1, TaskState::kSucceeded, "row");
    next_.cancels.push_back({{TaskId(14), 6}, "ann", "the rest", At(3)});
    End(14, 0, TaskState::kCancelled);
    Commit();
  }

  void Retries() {
    for (uint64_t id = 20; id <= 23; ++id) {
      Accept(SingleTask(id));
      Dispatch(id, 1);
    }
    Commit();
    for (uint64_t id = 20; id <= 23; ++id) EndAttempt(id, 1, id == 23 ? EndReason::kLost : EndReason::kExited, "first");
    Commit();
    for (uint64_t id = 20; id <= 22; ++id) Dispatch(id, 2, "w2");
    Commit();
    End(20, 2, TaskState::kSucceeded, "second");
    End(21, 2, TaskState::kTimedOut);
    next_.notes.push_back({Key(20, 1), "too late: exited 0", At(4)});
    next_.notes.push_back({Key(21, 1), "too late: exited 1", At(4)});
    Log(activity::StaleReport{Key(20, 1), "w1", "too late: exited 0"});
    Commit();
  }

  void Held() {
    for (uint64_t id = 24; id <= 25; ++id) {
      Accept(SingleTask(id));
      Dispatch(id, 1, "w3");
    }
    Log(activity::WorkerJoined{"w3", Incarnation(9), "10.0.0.3:7071", 4});
    Commit();
    next_.unknowns.push_back({Key(24, 1), At(900)});
    Log(activity::WorkerLost{"w3", Incarnation(9), "silent"});
    Commit();
  }

  void Settings() {
    next_.worker_settings = {{"w1", 3, true, "kernel update"}, {"w2", 0, false, ""}};
    next_.run_times.learned = {{.fingerprint = 7, .command = "sleep {}", .newest = {absl::Seconds(3)}, .runs = 5, .failures = 1,
                                .last = At(900), .places = {{"w1", 5}}}};
    next_.queue_settings = {{"nightly", QueueSettings{.weight = 3, .max_running = 8}, {At(950), "a deploy"}},
                            {"daily", std::nullopt, {At(960), "disks"}}};
    core::ScheduleRow& schedule = next_.schedules.schedules.emplace_back();
    schedule.spec.name = "backup";
    schedule.spec.times = CronTimes{"30 2 * * *", "UTC"};
    schedule.spec.work = std::make_shared<const ScheduledWork>(ScheduledWork{SingleTask(1).spec});
    next_.schedules.progress = {{.name = "backup", .decided_until = At(940)}};
    AddWorkflow();
    next_.executors = {{"http"}, {"sql"}};
    Log(activity::WorkerStateChanged{"w1", WorkerState::kDraining, "kernel update"});
    Log(activity::RequestsRefused{"QUEUE_FULL", "ann@host", 12});
    Commit();
  }

  // Of tasks that are there already: its first one has ended.
  void AddWorkflow() {
    auto spec = std::make_shared<WorkflowSpec>();
    spec->name = "nightly";
    spec->nodes = {{}, {{{0, DependencyCondition::kSuccess}}, false}};
    v1::WorkflowSpec message;
    message.set_name(spec->name);
    for (const char* const name : {"fetch", "load"}) message.add_nodes()->set_name(name);
    message.mutable_nodes(1)->add_needs()->set_node("fetch");
    spec->payload = message.SerializeAsString();
    next_.workflows = {{TaskId(9000), spec, At(930)}};
    next_.workflow_parts = {{TaskId(9000), {{0, {TaskId(1), 1}, TaskId(), {}}, {1, {TaskId(2), 1}, TaskId(), {}}}, At(930)}};
    next_.workflow_states = {{.workflow = TaskId(9000), .state = WorkflowState::kRunning, .started = At(931)}};
  }

  Store* const store_;
  core::Transaction next_;
  int64_t seconds_ = 5;
};

}  // namespace muster::store
