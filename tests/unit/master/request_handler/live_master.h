// A small master for the task service's tests: the real core and store behind a loop of a few lines, the real service
// behind real gRPC on a free port of the loopback, and workers that exist only as events.
//
//   LiveMaster master;
//   master.Join("w1", 2);                               // takes work; its attempts stay until the test ends them
//   auto stub = master.Stub();
//   AttemptKey key = master.AwaitAssignment();          // the next one, in order
//   master.Started(key);  master.Output(key, kOut, 0, "hello");  master.End(key, 0, "hello");
//
// Thread rule: the test's thread calls; the loop has one of its own. Every wait has a deadline and fails loudly.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/rpc/server.h"
#include "common/runtime/clock.h"
#include "master/core/cluster_core.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/queue_service.h"
#include "master/request_handler/schedule_service.h"
#include "master/request_handler/task_service.h"
#include "master/request_handler/workflow_service.h"
#include "master/store/sqlite_store.h"
#include "master/store/store.h"
#include "muster/v1/task_service.grpc.pb.h"

namespace muster::handler {

constexpr absl::Duration kTestPatience = absl::Seconds(20);

// Polls until `met`; false when it never was.
template <typename Condition>
bool Eventually(Condition met) {
  const absl::Time deadline = absl::Now() + kTestPatience;
  while (!met()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

class TestLoop final : public core::EventSink, public core::Inspector {
 public:
  TestLoop(core::ClusterCore* core, store::Store* store) : core_(core), store_(store) {}
  ~TestLoop() override { Stop(); }

  void AddListener(core::EffectListener* listener) { listeners_.push_back(listener); }
  void Start() { thread_ = std::thread([this] { Run(); }); }
  void Stop() {
    {
      absl::MutexLock lock(&mutex_);
      closed_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }
  // The mailbox says no, as when it is full.
  void SetFull(bool full) {
    absl::MutexLock lock(&mutex_);
    full_ = full;
  }

  bool Post(core::Event event) override {
    absl::MutexLock lock(&mutex_);
    if (closed_ || full_) return false;
    items_.emplace_back(std::move(event));
    return true;
  }
  void PostAlways(core::Event event) override {
    absl::MutexLock lock(&mutex_);
    items_.emplace_back(std::move(event));
  }
  bool Inspect(std::function<void(const core::ClusterCore&, absl::Time)> look) override {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    items_.emplace_back(std::move(look));
    return true;
  }

 private:
  using Look = std::function<void(const core::ClusterCore&, absl::Time)>;
  using Item = std::variant<core::Event, Look>;

  bool Ready() const { return closed_ || !items_.empty(); }

  void Run() {
    core::Effects start;
    core_->Start(absl::Now(), &start);
    Finish(&start);
    while (true) {
      std::deque<Item> items;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.AwaitWithTimeout(absl::Condition(this, &TestLoop::Ready), absl::Milliseconds(50));
        if (closed_ && items_.empty()) return;
        items.swap(items_);
      }
      core::Effects effects;
      const absl::Time now = absl::Now();
      for (Item& item : items) {
        if (auto* event = std::get_if<core::Event>(&item)) core_->Apply(std::move(*event), now, &effects);
      }
      core_->Turn(now, &effects);
      Finish(&effects);
      for (Item& item : items) {
        if (auto* look = std::get_if<Look>(&item)) (*look)(*core_, now);
      }
    }
  }

  void Finish(core::Effects* effects) {
    if (!effects->transaction.Empty()) {
      const auto commit = store_->Commit(effects->transaction);
      ASSERT_TRUE(commit.ok()) << commit.status();
    }
    for (core::EffectListener* listener : listeners_) listener->OnEffects(effects->effects, store_->last_commit());
  }

  core::ClusterCore* const core_;
  store::Store* const store_;
  std::vector<core::EffectListener*> listeners_;
  absl::Mutex mutex_;
  std::deque<Item> items_;
  bool closed_ = false;
  bool full_ = false;
  std::thread thread_;
};

// Opens sessions as the core asks, remembers assignments and what the service asked of the workers' output.
class TestWorkers final : public core::EffectListener, public core::OutputSource {
 public:
  explicit TestWorkers(core::EventSink* events) : events_(events) {}

  struct Asked {
    std::string what;  // "subscribe", "acknowledge", "pause", "detach"
    AttemptKey key;
    core::OutputStreamKind stream;
    int64_t offset = 0;
    bool lossless = false;
  };

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber) override {
    absl::MutexLock lock(&mutex_);
    for (const core::Effect& effect : effects) {
      if (const auto* open = std::get_if<core::OpenSession>(&effect)) {
        sessions_[open->worker] = open->session;
        ids_[open->name] = open->worker;
        events_->PostAlways(core::SessionOpened{open->worker, open->session, incarnations_[open->name], {}});
      } else if (const auto* assign = std::get_if<core::Assign>(&effect)) {
        assigned_.push_back(*assign);
        places_[assign->key] = assign->worker;
      } else if (const auto* stop = std::get_if<core::Stop>(&effect)) {
        auto report = std::make_shared<AttemptReport>();
        report->key = stop->key;
        report->end.reason = stop->reason;
        report->end_time = absl::Now();
        report->started = true;
        report->stopped = true;
        core::WorkerReports reports{.worker = stop->worker, .session = stop->session};
        reports.results.push_back(std::move(report));
        events_->PostAlways(std::move(reports));
      }
    }
  }

  void Subscribe(WorkerId, AttemptKey key, core::OutputStreamKind stream, int64_t offset, bool lossless) override {
    Note({"subscribe", key, stream, offset, lossless});
  }
  void Acknowledge(WorkerId, AttemptKey key, core::OutputStreamKind stream, int64_t offset) override {
    Note({"acknowledge", key, stream, offset});
  }
  void Pause(WorkerId, AttemptKey key, core::OutputStreamKind stream) override { Note({"pause", key, stream}); }
  void Detach(WorkerId, AttemptKey key, core::OutputStreamKind stream) override { Note({"detach", key, stream}); }

  void Joins(const std::string& name, Incarnation incarnation) {
    absl::MutexLock lock(&mutex_);
    incarnations_[name] = incarnation;
  }
  std::vector<Asked> asked() {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }
  bool WasAsked(const std::string& what, AttemptKey key, core::OutputStreamKind stream, int64_t offset = -1) {
    for (const Asked& one : asked()) {
      if (one.what == what && one.key == key && one.stream == stream && (offset < 0 || one.offset == offset)) return true;
    }
    return false;
  }
  size_t assigned_count() {
    absl::MutexLock lock(&mutex_);
    return assigned_.size();
  }
  core::Assign assigned(size_t index) {
    absl::MutexLock lock(&mutex_);
    return assigned_.at(index);
  }
  core::WorkerReports ReportsFor(AttemptKey key) {
    absl::MutexLock lock(&mutex_);
    const WorkerId worker = places_.at(key);
    return {.worker = worker, .session = sessions_.at(worker)};
  }

 private:
  void Note(Asked asked) {
    absl::MutexLock lock(&mutex_);
    asked_.push_back(std::move(asked));
  }

  core::EventSink* const events_;
  absl::Mutex mutex_;
  std::map<std::string, Incarnation> incarnations_;
  std::map<std::string, WorkerId> ids_;
  std::map<WorkerId, SessionNumber> sessions_;
  std::map<AttemptKey, WorkerId> places_;
  std::vector<core::Assign> assigned_;
  std::vector<Asked> asked_;
};

class LiveMaster {
 public:
  explicit LiveMaster(TaskLimits limits = {});
  ~LiveMaster();

  std::unique_ptr<v1::TaskService::Stub> Stub() { return v1::TaskService::NewStub(channel_); }
  std::unique_ptr<v1::QueueService::Stub> Queues() { return v1::QueueService::NewStub(channel_); }
  std::unique_ptr<v1::ScheduleService::Stub> Schedules() { return v1::ScheduleService::NewStub(channel_); }
  std::unique_ptr<v1::WorkflowService::Stub> Workflows() { return v1::WorkflowService::NewStub(channel_); }
  TaskService& service() { return *service_; }
  TestLoop& loop() { return *loop_; }
  EventCalls& events() { return *events_; }
  TestWorkers& workers() { return *workers_; }
  store::Store& store() { return *store_; }

  void Join(const std::string& name, uint32_t slots);
  AttemptKey AwaitAssignment();  // the next one that was not asked for yet
  void Started(AttemptKey key);
  void Output(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes) {
    service_->OnOutput(key, stream, offset, bytes, 0);
  }
  void End(AttemptKey key, int exit_code, const std::string& out = "", const std::string& err = "", NamedValues outputs = {});

  // One task for `command`, submitted and accepted; its id.
  std::string Submit(std::function<void(v1::SubmitRequest*)> change = nullptr);
  v1::Task Get(const std::string& selector);
  bool AwaitState(const std::string& selector, v1::TaskState state);

 private:
  std::string directory_;
  runtime::SystemClock clock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<core::ClusterCore> core_;
  std::unique_ptr<TestLoop> loop_;
  PendingCalls calls_;
  std::unique_ptr<TestWorkers> workers_;
  std::unique_ptr<QueueBoard> board_;
  std::unique_ptr<TaskService> service_;
  std::unique_ptr<QueueService> queues_;
  std::unique_ptr<EventCalls> events_;
  std::unique_ptr<ScheduleService> schedules_;
  std::unique_ptr<WorkflowService> workflows_;
  std::unique_ptr<rpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  size_t next_assignment_ = 0;
  uint64_t incarnations_ = 100;
};

}  // namespace muster::handler
