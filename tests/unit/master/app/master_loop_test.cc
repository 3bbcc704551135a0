#include "master/app/master_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/base/refusal.h"
#include "common/telemetry/log.h"
#include "tests/support/fake_store.h"

namespace muster::master {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

// Polls; whether `done` became true before patience ends.
bool Eventually(const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!done()) {
    if (absl::Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class FakeClock final : public runtime::Clock {
 public:
  absl::Time Now() const override { return absl::FromUnixNanos(now_ns_); }
  absl::Time Calendar() const override { return Now(); }
  void Advance(absl::Duration by) { now_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  std::atomic<int64_t> now_ns_{int64_t{1'700'000'000} * 1'000'000'000};
};

class RecordingListener final : public core::EffectListener {
 public:
  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override {
    absl::MutexLock lock(&mutex_);
    effects_.insert(effects_.end(), effects.begin(), effects.end());
    last_commit_ = commit;
    grown_.SignalAll();
  }
  template <typename T>
  std::vector<T> All() const {
    absl::MutexLock lock(&mutex_);
    std::vector<T> all;
    for (const core::Effect& effect : effects_) {
      if (const T* e = std::get_if<T>(&effect)) all.push_back(*e);
    }
    return all;
  }
  // Where the n-th of them (from 0) stands among all effects.
  template <typename T>
  size_t IndexOf(size_t n = 0) const {
    absl::MutexLock lock(&mutex_);
    size_t index = 0;
    for (; index < effects_.size(); ++index) {
      if (std::holds_alternative<T>(effects_[index]) && n-- == 0) break;
    }
    return index;
  }
  // Whether there are `count` of them before patience ends.
  template <typename T>
  bool Await(size_t count) const {
    const absl::Time deadline = absl::Now() + kPatience;
    while (All<T>().size() < count) {
      if (absl::Now() > deadline) return false;
      absl::MutexLock lock(&mutex_);
      grown_.WaitWithTimeout(&mutex_, absl::Milliseconds(20));
    }
    return true;
  }

 private:
  mutable absl::Mutex mutex_;
  mutable absl::CondVar grown_;
  std::vector<core::Effect> effects_ ABSL_GUARDED_BY(mutex_);
  CommitNumber last_commit_ ABSL_GUARDED_BY(mutex_);
};

// A commit waits inside it until it is opened.
class Gate {
 public:
  absl::Status Pass() {
    entered_ = true;
    opened_.WaitForNotification();
    return absl::OkStatus();
  }
  bool AwaitEntered() const {
    return Eventually([this] { return entered_.load(); });
  }
  void Open() {
    if (!opened_.HasBeenNotified()) opened_.Notify();
  }

 private:
  std::atomic<bool> entered_{false};
  absl::Notification opened_;
};

core::SubmitTasks Submit(uint64_t call, size_t payload_bytes = 10) {
  auto spec = std::make_shared<TaskSpec>();
  spec->owner = "me";
  spec->requirements.executor = "command";
  spec->requirements.resources.slots = 1;
  spec->payload = std::string(payload_bytes, 'p');
  core::SubmitTasks submit{.call = CallId(call)};
  submit.tasks.push_back({.spec = std::move(spec)});
  return submit;
}

core::WorkerJoin Join(const std::string& name) {
  core::WorkerJoin join{.call = CallId(900), .name = name, .incarnation = Incarnation(7), .address = "127.0.0.1:1"};
  join.offer.capacity.slots = 2;
  join.offer.executors.push_back({.name = "command"});
  return join;
}

core::WorkerHeartbeat Heartbeat(const std::string& name, uint64_t call = 901) {
  return {.call = CallId(call), .name = name, .incarnation = Incarnation(7)};
}

class MasterLoopTest : public ::testing::Test {
 protected:
  ~MasterLoopTest() override {
    gate_.Open();
    loop_.reset();
  }

  void Start(LoopOptions options = {}) {
    options.activity_delay = activity_delay_;
    options.longest_sleep = absl::Milliseconds(20);  // the fake clock wakes nobody
    options.full_disk_retry = absl::Milliseconds(2);
    options.slow_commit = absl::Milliseconds(2);
    if (!options.on_fatal) options.on_fatal = [this](const absl::Status&) { fatal_.Notify(); };
    core_ = std::make_unique<core::ClusterCore>(core::CoreConfig{}, *store_.LoadOpen(clock_.Now()));
    loop_ = std::make_unique<MasterLoop>(core_.get(), &store_, &clock_, &metrics_, std::move(options));
    loop_->AddListener(&listener_);
    loop_->Start();
  }

  // The state of a worker, as a reader is told; kNone: not known.
  WorkerState StateOf(const std::string& name) {
    WorkerState state = WorkerState::kNone;
    absl::Notification asked;
    const bool taken = loop_->Inspect([&](const core::ClusterCore& core, absl::Time) {
      if (const auto view = core.FindWorker(name)) state = view->state;
      asked.Notify();
    });
    if (taken) asked.WaitForNotification();
    return state;
  }

  absl::Duration activity_delay_ = absl::Hours(1);
  FakeClock clock_;
  telemetry::Metrics metrics_;
  test::FakeStore store_;
  RecordingListener listener_;
  Gate gate_;
  absl::Notification fatal_;
  std::unique_ptr<core::ClusterCore> core_;
  std::unique_ptr<MasterLoop> loop_;
};

TEST_F(MasterLoopTest, NothingIsSaidBeforeItIsDurable) {
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  EXPECT_TRUE(listener_.All<core::TasksAccepted>().empty());
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>()[0].status.ok());
}

TEST_F(MasterLoopTest, WhatArrivesDuringASyncSharesTheNext) {
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  for (uint64_t call = 2; call <= 200; ++call) ASSERT_TRUE(loop_->Post(Submit(call)));
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(200));
  EXPECT_EQ(store_.committed().size(), 2u);
  EXPECT_EQ(store_.committed()[1].specifications.size(), 199u);
}

TEST_F(MasterLoopTest, AQuestionSeesOnlyWhatIsDurable) {
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  std::atomic<bool> seen{false};
  ASSERT_TRUE(loop_->Inspect([&](const core::ClusterCore& core, absl::Time) {
    seen = store_.committed().size() == 1 && core.OpenTasks(TaskId(), 10).size() <= 1;
  }));
  EXPECT_FALSE(seen);
  gate_.Open();
  EXPECT_EQ(StateOf("none"), WorkerState::kNone);  // asked after it
  EXPECT_TRUE(seen);
}

TEST_F(MasterLoopTest, ATurnIsBoundedAndTheRestFollows) {
  LoopOptions options;
  options.turn_events = 10;
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start(std::move(options));
  for (uint64_t call = 1; call <= 95; ++call) ASSERT_TRUE(loop_->Post(Submit(call)));
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(95));
  for (const core::Transaction& transaction : store_.committed()) {
    EXPECT_LE(transaction.specifications.size(), 10u);
  }
}

TEST_F(MasterLoopTest, AFullMailboxRefusesAndSaysWhen) {
  LoopOptions options;
  options.mailbox_events = 5;
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start(std::move(options));
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  for (uint64_t call = 2; call <= 6; ++call) EXPECT_TRUE(loop_->Post(Submit(call)));
  EXPECT_TRUE(loop_->congested());
  EXPECT_FALSE(loop_->Post(Submit(7)));
  EXPECT_FALSE(loop_->Inspect([](const core::ClusterCore&, absl::Time) {}));
  EXPECT_EQ(ReasonOf(loop_->Refusal()), "MASTER_BUSY");
  EXPECT_TRUE(RetryAfterOf(loop_->Refusal()).has_value());
  loop_->PostAlways(Submit(8));
  gate_.Open();
  EXPECT_TRUE(listener_.Await<core::SubmitAnswer>(7));
}

TEST_F(MasterLoopTest, BytesFillTheMailboxToo) {
  LoopOptions options;
  options.mailbox_bytes = 1 << 20;
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start(std::move(options));
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  EXPECT_TRUE(loop_->Post(Submit(2, 900'000)));
  EXPECT_FALSE(loop_->Post(Submit(3, 900'000)));
  gate_.Open();
  EXPECT_TRUE(listener_.Await<core::SubmitAnswer>(2));
}

TEST_F(MasterLoopTest, AFullDiskHoldsTheTurnRefusesAndHeals) {
  const auto full = std::make_shared<std::atomic<bool>>(true);  // the loop commits until the fixture is gone
  store_.OnCommit([this, full](const core::Transaction&) -> absl::Status {
    gate_.Open();
    return *full ? absl::ResourceExhaustedError("no space left on /data/muster.db") : absl::OkStatus();
  });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(Eventually([this] { return !loop_->Unready().empty(); }));
  EXPECT_NE(loop_->Unready().find("/data/muster.db"), std::string::npos);
  EXPECT_FALSE(loop_->Post(Submit(2)));
  EXPECT_EQ(ReasonOf(loop_->Refusal()), "DISK_FULL");
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  *full = false;
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  EXPECT_TRUE(loop_->Unready().empty());
  EXPECT_TRUE(loop_->Post(Submit(3)));
  EXPECT_FALSE(fatal_.HasBeenNotified());
}

TEST_F(MasterLoopTest, LittleRoomRefusesNewWorkAndNothingElse) {
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  store_.SetShortage("12 MiB are free in /data");
  EXPECT_FALSE(loop_->Post(Submit(2)));
  EXPECT_EQ(ReasonOf(loop_->Refusal()), "DISK_FULL");
  EXPECT_TRUE(RetryAfterOf(loop_->Refusal()).has_value());
  EXPECT_NE(loop_->Unready().find("12 MiB"), std::string::npos);
  ASSERT_TRUE(loop_->Post(core::CancelTasks{.call = CallId(3), .tasks = {{TaskId(1), 1}}, .by = "me"}));
  ASSERT_TRUE(listener_.Await<core::CancelAnswer>(1));
  EXPECT_EQ(store_.committed().back().outcomes.size(), 1u);
  EXPECT_FALSE(loop_->congested());
  store_.SetShortage("");
  EXPECT_TRUE(loop_->Post(Submit(4)));
}

TEST_F(MasterLoopTest, TheLogTellsOnceOfLittleRoomAndOnceOfRoomAgain) {
  const std::string path = testing::TempDir() + "/little_room.log";
  std::remove(path.c_str());
  ASSERT_TRUE(telemetry::StartLogging({.program = "test", .file = path, .stderr_too = false}).ok());
  Start();
  const auto turn_twice = [this] {
    for (int i = 0; i < 2; ++i) {  // one may be half over
      const auto turns = loop_->Figures().turns;
      ASSERT_TRUE(loop_->Inspect([](const core::ClusterCore&, absl::Time) {}));
      ASSERT_TRUE(Eventually([this, turns] { return loop_->Figures().turns > turns; }));
    }
  };
  for (int time = 0; time < 2; ++time) {
    store_.SetShortage("12 MiB are free in /data");
    turn_twice();
    store_.SetShortage("");
    turn_twice();
  }
  loop_->Abort();
  loop_->Join();
  telemetry::StopLogging();
  std::ifstream log(path);
  std::vector<std::string> said;
  for (std::string line; std::getline(log, line);) said.push_back(line.substr(line.find(' ') + 1));
  const std::string low = "warning test: little room: new tasks are refused why=\"12 MiB are free in /data\"";
  const std::string healed = "info    test: there is room again: new tasks are taken";
  EXPECT_EQ(said, (std::vector<std::string>{low, healed, low, healed}));
}

TEST_F(MasterLoopTest, HeartbeatsAreAnsweredWhileNothingCanBeCommitted) {
  std::atomic<bool> full{false};
  store_.OnCommit([&](const core::Transaction&) -> absl::Status {
    return full ? absl::ResourceExhaustedError("no space left on /data/muster.db") : absl::OkStatus();
  });
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  full = true;
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(Eventually([this] { return !loop_->Unready().empty(); }));
  EXPECT_TRUE(loop_->congested());  // results stay where they are
  for (uint64_t beat = 1; beat <= 100; ++beat) {
    clock_.Advance(absl::Seconds(1));
    loop_->PostAlways(Heartbeat("w", 1000 + beat));
    ASSERT_TRUE(listener_.Await<core::HeartbeatAnswer>(beat));
  }
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  full = false;
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  EXPECT_NE(StateOf("w"), WorkerState::kLost);
  EXPECT_FALSE(loop_->congested());
}

TEST_F(MasterLoopTest, AFailedSyncIsFatalAndReleasesNothing) {
  store_.OnCommit([](const core::Transaction&) { return absl::InternalError("fdatasync /data/muster.db: EIO"); });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(fatal_.WaitForNotificationWithTimeout(kPatience));
  loop_->Join();
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  EXPECT_FALSE(loop_->WaitStopped(absl::ZeroDuration()));
}

TEST_F(MasterLoopTest, ActivityAloneWaitsForTheNextCommit) {
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  EXPECT_TRUE(store_.committed().empty());
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  ASSERT_EQ(store_.committed().size(), 1u);
  bool joined = false;
  const core::Transaction first = store_.committed()[0];
  for (const activity::Record& record : first.activity) {
    joined = joined || std::holds_alternative<activity::WorkerJoined>(record.event);
  }
  EXPECT_TRUE(joined);
}

TEST_F(MasterLoopTest, ActivityWaitsNoLongerThanItsDelay) {
  activity_delay_ = absl::Seconds(1);
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  EXPECT_TRUE(store_.committed().empty());
  EXPECT_TRUE(Eventually([this] {
    clock_.Advance(absl::Microseconds(100));
    return !store_.committed().empty();
  }));
}

TEST_F(MasterLoopTest, AnIdleMasterCommitsForMaintenanceAlone) {
  Start();
  EXPECT_EQ(StateOf("none"), WorkerState::kNone);  // it turns, and commits nothing
  EXPECT_TRUE(store_.committed().empty());
  store_.SetWantsCommit(true);
  ASSERT_TRUE(Eventually([this] { return store_.committed().size() > 1; }));
  EXPECT_TRUE(store_.committed()[1].Empty());
  store_.SetWantsCommit(false);
}

TEST_F(MasterLoopTest, NoLeaseExpiresBecauseASyncWasSlow) {
  std::atomic<bool> slow{false};
  store_.OnCommit([&](const core::Transaction&) {
    if (slow.exchange(false)) clock_.Advance(absl::Minutes(5));
    return absl::OkStatus();
  });
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  slow = true;
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  ASSERT_TRUE(loop_->Post(Submit(2)));
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(2));
  EXPECT_NE(StateOf("w"), WorkerState::kLost);
}

TEST_F(MasterLoopTest, HeartbeatsAreAnsweredDuringALongSyncAndOnlySilenceIsLost) {
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(loop_->Post(Join("silent")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(2));
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  for (uint64_t beat = 1; beat <= 60; ++beat) {  // twice the lost time, in one sync
    clock_.Advance(absl::Seconds(1));
    loop_->PostAlways(Heartbeat("w", 1000 + beat));
    ASSERT_TRUE(listener_.Await<core::HeartbeatAnswer>(beat));
  }
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
  EXPECT_TRUE(Eventually([this] { return StateOf("silent") == WorkerState::kLost; }));
  EXPECT_NE(StateOf("w"), WorkerState::kLost);
}

TEST_F(MasterLoopTest, AHeartbeatThatCameWithASubmitDoesNotWaitForItsSync) {
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  absl::Notification looks, both_wait;
  ASSERT_TRUE(loop_->Inspect([&](const core::ClusterCore&, absl::Time) {
    looks.Notify();
    both_wait.WaitForNotification();
  }));
  looks.WaitForNotification();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  loop_->PostAlways(Heartbeat("w"));
  both_wait.Notify();
  ASSERT_TRUE(gate_.AwaitEntered());
  EXPECT_TRUE(listener_.Await<core::HeartbeatAnswer>(1));
  EXPECT_TRUE(listener_.All<core::SubmitAnswer>().empty());
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(1));
}

TEST_F(MasterLoopTest, WhatAHeartbeatCausesDuringASyncBelongsToTheNextCommit) {
  Start();
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  core::WorkerHeartbeat heartbeat = Heartbeat("w");
  heartbeat.offer = Join("w").offer;
  heartbeat.offer->executors.push_back({.name = "model"});
  loop_->PostAlways(std::move(heartbeat));
  ASSERT_TRUE(listener_.Await<core::HeartbeatAnswer>(1));
  EXPECT_TRUE(store_.committed().empty());
  gate_.Open();
  ASSERT_TRUE(Eventually([this] { return store_.committed().size() == 2; }));
  EXPECT_TRUE(store_.committed()[0].executors.empty());
  ASSERT_EQ(store_.committed()[1].executors.size(), 1u);
  EXPECT_EQ(store_.committed()[1].executors[0].name, "model");
}

TEST_F(MasterLoopTest, HeartbeatsPassAFloodOfSubmits) {
  LoopOptions options;
  options.turn_events = 10;
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start(std::move(options));
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::JoinAnswer>(1));
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  for (uint64_t call = 2; call <= 500; ++call) ASSERT_TRUE(loop_->Post(Submit(call)));
  loop_->PostAlways(Heartbeat("w"));
  gate_.Open();
  ASSERT_TRUE(listener_.Await<core::HeartbeatAnswer>(1));
  ASSERT_TRUE(listener_.Await<core::SubmitAnswer>(500));
  EXPECT_LT(listener_.IndexOf<core::HeartbeatAnswer>(), listener_.IndexOf<core::SubmitAnswer>(30));
}

TEST_F(MasterLoopTest, TheEndIsWrittenAndThenBusyWorkersAreStillAnswered) {
  LoopOptions options;
  options.linger = absl::Hours(1);  // of the fake clock: only the heartbeat ends it
  Start(std::move(options));
  ASSERT_TRUE(loop_->Post(Join("w")));
  ASSERT_TRUE(listener_.Await<core::OpenSession>(1));
  const core::OpenSession open = listener_.All<core::OpenSession>()[0];
  ASSERT_TRUE(loop_->Post(Heartbeat("w")));
  loop_->PostAlways(
      core::SessionOpened{.worker = open.worker, .session = open.session, .incarnation = Incarnation(7)});
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(listener_.Await<core::Assign>(1));
  loop_->PostAlways(core::StopMaster{.reason = "test"});
  ASSERT_TRUE(listener_.Await<core::Stopped>(1));
  EXPECT_TRUE(store_.committed().back().clean_end);
  EXPECT_FALSE(loop_->WaitStopped(absl::ZeroDuration()));
  loop_->PostAlways(Heartbeat("w", 77));
  ASSERT_TRUE(loop_->WaitStopped(kPatience));
  const core::HeartbeatAnswer last = listener_.All<core::HeartbeatAnswer>().back();
  EXPECT_EQ(last.call, CallId(77));
  EXPECT_EQ(last.lease, core::CoreConfig{}.shutdown_lease);
  EXPECT_TRUE(store_.committed().back().clean_end);
  EXPECT_FALSE(loop_->Post(Submit(2)));
  EXPECT_FALSE(loop_->Inspect([](const core::ClusterCore&, absl::Time) {}));
}

TEST_F(MasterLoopTest, ALoopThatDoesNotTurnIsUnhealthy) {
  store_.OnCommit([this](const core::Transaction&) { return gate_.Pass(); });
  Start();
  ASSERT_TRUE(loop_->Post(Submit(1)));
  ASSERT_TRUE(gate_.AwaitEntered());
  EXPECT_EQ(loop_->Unhealthy(), "");
  clock_.Advance(absl::Minutes(1));
  EXPECT_NE(loop_->Unhealthy().find("has not turned"), std::string::npos);
  EXPECT_FALSE(loop_->Unready().empty());
}

}  // namespace
}  // namespace muster::master
