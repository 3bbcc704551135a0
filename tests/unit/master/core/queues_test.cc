// Queues through the real core: limits hold, changes take effect at once, and survive a restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "master/core/queue_table.h"
#include "tests/support/test_cluster.h"

namespace muster::core {
namespace {

using muster::testing::Spec;
using muster::testing::TestCluster;
using ::testing::HasSubstr;

TaskSpecPtr InQueue(const std::string& queue) {
  return Spec([&queue](TaskSpec& spec) { spec.queue = queue; });
}

QueueAnswer Set(TestCluster& cluster, const std::string& queue, QueueChange change, bool reset = false) {
  cluster.Apply(UpdateQueue{CallId(1), queue, reset, std::move(change), "ann@host"});
  return cluster.Seen<QueueAnswer>().front();
}
void Pause(TestCluster& cluster, const std::string& queue, absl::Time until = absl::InfiniteFuture()) {
  cluster.Apply(PauseQueue{CallId(1), queue, until, std::nullopt, "a deploy", "ann@host"});
}
void Resume(TestCluster& cluster, const std::string& queue) {
  cluster.Apply(ResumeQueue{CallId(1), queue, "ann@host"});
}

TEST(QueuesTest, NoMoreRunThanTheQueueAllowsAndTheNextOneStartsWhenOneEnds) {
  TestCluster cluster;
  cluster.Join("a", 8);
  EXPECT_TRUE(Set(cluster, "nightly", {.max_running = 2}).status.ok());
  std::vector<TaskId> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(cluster.Submit(InQueue("nightly")));
  EXPECT_EQ(cluster.StateOf(tasks[1]), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(tasks[2]), TaskState::kQueued);
  EXPECT_EQ(cluster.ReasonOf(tasks[2]), "queue nightly runs 2 of at most 2");
  EXPECT_EQ(cluster.StateOf(cluster.Submit(InQueue("other"))), TaskState::kDispatched);
  cluster.Started(tasks[0]);
  cluster.Exit(tasks[0], 0);
  EXPECT_EQ(cluster.StateOf(tasks[2]), TaskState::kDispatched);
  EXPECT_EQ(cluster.StateOf(tasks[3]), TaskState::kQueued);
}

TEST(QueuesTest, ALimitThatIsRaisedStartsTheNextAtOnce) {
  TestCluster cluster;
  cluster.Join("a", 8);
  Set(cluster, "nightly", {.max_running = 1});
  cluster.Submit(InQueue("nightly"));
  const TaskId second = cluster.Submit(InQueue("nightly"));
  Set(cluster, "nightly", {.max_running = 2});
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
}

TEST(QueuesTest, APausedQueueStartsNothingUntilItIsResumed) {
  TestCluster cluster;
  cluster.Join("a", 8);
  Pause(cluster, "nightly");
  const TaskId task = cluster.Submit(InQueue("nightly"));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  EXPECT_EQ(cluster.ReasonOf(task), "queue nightly is paused until it is resumed: a deploy");
  Resume(cluster, "nightly");
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST(QueuesTest, APauseEndsAtItsTimeWithoutAnyEvent) {
  TestCluster cluster;
  cluster.Join("a", 8);
  const absl::Time until = cluster.now() + absl::Seconds(5);
  Pause(cluster, "nightly", until);
  const TaskId task = cluster.Submit(InQueue("nightly"));
  EXPECT_LE(cluster.core().NextDue(), until);
  cluster.AdvanceBeating(absl::Seconds(4), {"a"});
  EXPECT_EQ(cluster.StateOf(task), TaskState::kQueued);
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST(QueuesTest, ARateSpacesTheStartsAndTheCoreAsksToBeCalled) {
  TestCluster cluster;
  cluster.Join("a", 8);
  Set(cluster, "nightly", {.start_rate = 2});
  const TaskId first = cluster.Submit(InQueue("nightly"));
  const TaskId second = cluster.Submit(InQueue("nightly"));
  EXPECT_EQ(cluster.StateOf(first), TaskState::kDispatched);
  EXPECT_EQ(cluster.ReasonOf(second), "queue nightly starts at most 2 a second");
  EXPECT_EQ(cluster.core().NextDue(), cluster.now() + absl::Milliseconds(500));
  cluster.Advance(absl::Milliseconds(500));
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
}

TEST(QueuesTest, AnAttemptThatNeverStartedCostsNoStart) {
  TestCluster cluster;
  cluster.Join("a", 8);
  Set(cluster, "nightly", {.start_rate = 0.01});
  const TaskId task = cluster.Submit(InQueue("nightly"));
  cluster.GiveBack(task);
  EXPECT_EQ(cluster.StateOf(task), TaskState::kDispatched);
}

TEST(QueuesTest, AFullQueueRefusesByItsName) {
  TestCluster cluster;
  Set(cluster, "nightly", {.max_queued = 2});
  cluster.Submit(InQueue("nightly"));
  SubmitTasks two;
  two.tasks = {{InQueue("nightly"), TaskId()}, {InQueue("nightly"), TaskId()}};
  const SubmitAnswer refused = cluster.SubmitAll(two);
  EXPECT_EQ(muster::ReasonOf(refused.status), "QUEUE_FULL");
  EXPECT_THAT(std::string(refused.status.message()),
              HasSubstr("queue nightly has 1 of at most 2 waiting tasks, and this call brings 2"));
  cluster.Submit(InQueue("nightly"));
  cluster.Submit(InQueue("other"));
}

SubmitTasks Several(const std::string& queue, size_t count) {
  SubmitTasks event;
  for (size_t i = 0; i < count; ++i) event.tasks.push_back({InQueue(queue), TaskId()});
  return event;
}

TEST(QueuesTest, ACallLargerThanTheQueueIsRefusedForGoodAndSaysWhatToDo) {
  TestCluster cluster;
  Set(cluster, "nightly", {.max_queued = 2});
  const SubmitAnswer refused = cluster.SubmitAll(Several("nightly", 3));
  EXPECT_EQ(muster::ReasonOf(refused.status), kCallTooLarge);
  EXPECT_EQ(muster::RetryAfterOf(refused.status), std::nullopt) << "no delay helps";
  EXPECT_EQ(std::string(refused.status.message()),
            "this call brings 3 tasks to queue nightly, where at most 2 may wait; send fewer in one call, or let more wait: "
            "muster queue set nightly --max-queued 3");
  EXPECT_TRUE(cluster.SubmitAll(Several("nightly", 2)).status.ok());
}

TEST(QueuesTest, ACallLargerThanAllThatMayWaitIsRefusedForGoodByNumberAndByBytes) {
  CoreConfig config;
  config.max_queued = 3;
  config.max_queued_bytes = 100;
  TestCluster cluster(config);
  const SubmitAnswer many = cluster.SubmitAll(Several("nightly", 4));
  EXPECT_EQ(muster::ReasonOf(many.status), kCallTooLarge);
  EXPECT_THAT(std::string(many.status.message()), HasSubstr("brings 4 tasks, and at most 3 may wait"));
  SubmitTasks heavy;
  heavy.tasks = {{Spec([](TaskSpec& spec) { spec.payload = std::string(101, 'x'); }), TaskId()}};
  const SubmitAnswer bytes = cluster.SubmitAll(heavy);
  EXPECT_EQ(muster::ReasonOf(bytes.status), kCallTooLarge);
  EXPECT_THAT(std::string(bytes.status.message()), HasSubstr("brings 101 bytes of tasks, and what waits may take 100"));
}

// A client that cut its call sends the whole again when it is repeated: it must be told to cut it again, in both orders
// of what was accepted and what is sent.
TEST(QueuesTest, AWholeThatIsSentAgainAfterItsFirstPartHadItsIdIsTooLargeAgain) {
  TestCluster cluster;
  Set(cluster, "nightly", {.max_queued = 2});
  SubmitTasks part = Several("nightly", 2);
  part.request = {.owner = "ann", .id = "r.0", .digest = Digest{1}};
  const SubmitAnswer first = cluster.SubmitAll(part);
  ASSERT_TRUE(first.status.ok());
  SubmitTasks whole = Several("nightly", 3);
  whole.request = {.owner = "ann", .id = "r.0", .digest = Digest{2}};
  EXPECT_EQ(muster::ReasonOf(cluster.SubmitAll(whole).status), kCallTooLarge);
  const SubmitAnswer again = cluster.SubmitAll(part);
  EXPECT_TRUE(again.status.ok());
  EXPECT_TRUE(again.repeated);
}

TEST(QueuesTest, SettingsAndPausesSurviveARestartAndResetGoesBackToTheConfiguration) {
  CoreConfig config;
  config.queues["nightly"] = {.weight = 3, .max_running = 5};
  TestCluster cluster(config);
  Set(cluster, "nightly", {.max_running = 1, .priority = std::optional<int32_t>(-7)});
  Pause(cluster, "daily");
  cluster.Restart(config);
  QueueView nightly = cluster.core().FindQueue("nightly", cluster.now());
  EXPECT_EQ(nightly.settings.weight, 3u);
  EXPECT_EQ(nightly.settings.max_running, 1u);
  EXPECT_EQ(nightly.settings.priority, -7);
  EXPECT_TRUE(nightly.set_by_hand);
  EXPECT_TRUE(cluster.core().FindQueue("daily", cluster.now()).paused);
  EXPECT_EQ(cluster.core().FindQueue("daily", cluster.now()).held_because, "is paused until it is resumed: a deploy");

  cluster.Apply(UpdateQueue{CallId(1), "nightly", true, std::nullopt, "ann@host"});
  cluster.Restart(config);
  nightly = cluster.core().FindQueue("nightly", cluster.now());
  EXPECT_EQ(nightly.settings.max_running, 5u);
  EXPECT_FALSE(nightly.set_by_hand);
}

TEST(QueuesTest, ResumingWhatIsNotPausedStoresAndCountsNothing) {
  TestCluster cluster;
  for (size_t i = 0; i < 50; ++i) {
    cluster.Apply(ResumeQueue{CallId(1), absl::StrCat("unknown-", i), "ann@host"});
    EXPECT_TRUE(cluster.Seen<QueueAnswer>().front().status.ok());
    EXPECT_TRUE(cluster.transaction().queue_settings.empty());
    cluster.Apply(UpdateQueue{CallId(1), absl::StrCat("unknown-", i), true, std::nullopt, "ann@host"});
    EXPECT_TRUE(cluster.Seen<QueueAnswer>().front().status.ok());
    EXPECT_TRUE(cluster.transaction().queue_settings.empty());
  }
  EXPECT_TRUE(cluster.core().Queues(cluster.now()).empty());
}

TEST(QueuesTest, PlacesThatAreUsedUpAreFreedByAResetAResumeAndTheEndOfAPause) {
  TestCluster cluster;
  const auto name = [](size_t i) { return absl::StrCat("q", i); };
  Transaction full;
  full.queue_settings.push_back({name(0), std::nullopt, {absl::InfiniteFuture(), "a deploy"}});
  full.queue_settings.push_back({name(1), std::nullopt, {cluster.now() + absl::Seconds(5), ""}});
  for (size_t i = 2; i < QueueTable::kMostQueuesSet; ++i) full.queue_settings.push_back({name(i), QueueSettings{.weight = 2}, {}});
  ASSERT_EQ(cluster.store().Commit(full), "");
  cluster.Restart();
  const QueueAnswer refused = Set(cluster, "more", {.weight = 2});
  EXPECT_EQ(muster::ReasonOf(refused.status), "TOO_MANY_QUEUES");
  EXPECT_THAT(std::string(refused.status.message()), HasSubstr("--reset"));

  cluster.Apply(UpdateQueue{CallId(1), name(2), true, std::nullopt, "ann@host"});
  EXPECT_TRUE(Set(cluster, "more", {.weight = 2}).status.ok()) << "a reset freed one";
  Resume(cluster, name(0));
  EXPECT_TRUE(Set(cluster, "and", {.weight = 2}).status.ok()) << "a resume freed one";
  EXPECT_FALSE(Set(cluster, "full", {.weight = 2}).status.ok());
  cluster.Advance(absl::Seconds(6));
  EXPECT_TRUE(Set(cluster, "last", {.weight = 2}).status.ok()) << "a pause that is over freed one";
  EXPECT_FALSE(Set(cluster, "full", {.weight = 2}).status.ok());

  cluster.Restart();
  EXPECT_FALSE(Set(cluster, "full", {.weight = 2}).status.ok()) << "what is set survives, ...";
  Set(cluster, name(3), {}, true);
  cluster.Apply(UpdateQueue{CallId(1), name(3), true, std::nullopt, "ann@host"});
  cluster.Restart();
  EXPECT_TRUE(Set(cluster, "full", {.weight = 2}).status.ok()) << "... and so does a reset";
}

TEST(QueuesTest, WhatRunsCountsAfterARestartToo) {
  TestCluster cluster;
  cluster.Join("a", 8);
  Set(cluster, "nightly", {.max_running = 1});
  const TaskId first = cluster.Submit(InQueue("nightly"));
  const TaskId second = cluster.Submit(InQueue("nightly"));
  const AttemptKey held = cluster.KeyOf(first);
  cluster.Restart();
  cluster.Join("a", 8, {{held, HeldAttempt::Phase::kRunning}});
  EXPECT_EQ(cluster.StateOf(second), TaskState::kQueued);
  cluster.Exit(first, 0);
  EXPECT_EQ(cluster.StateOf(second), TaskState::kDispatched);
}

TEST(QueuesTest, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  TestCluster cluster;
  Set(cluster, "nightly", {.weight = 4});
  const QueueAnswer answer = Set(cluster, "nightly", {.weight = 0}, true);
  EXPECT_EQ(muster::ReasonOf(answer.status), "BAD_QUEUE_SETTINGS");
  EXPECT_THAT(std::string(answer.status.message()), HasSubstr("weight is 0; 1 to 1000"));
  EXPECT_EQ(cluster.core().FindQueue("nightly", cluster.now()).settings.weight, 4u);
  EXPECT_TRUE(cluster.core().FindQueue("nightly", cluster.now()).set_by_hand);
}

// Three queues that always have work share a worker by their weights.
TEST(QueuesTest, SharesAreWithinTwoPercentOfTheWeights) {
  constexpr int kRounds = 100'000;
  CoreConfig config;
  config.prefetch_limit = 0;
  const std::map<std::string, uint32_t> weights = {{"a", 1}, {"b", 2}, {"c", 7}};
  for (const auto& [queue, weight] : weights) config.queues[queue] = {.weight = weight};
  ClusterCore core(config, RecoveredState{.cluster_id = "c", .epoch = Epoch(1)});
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  Effects effects;
  core.Start(now, &effects);
  core.Apply(WorkerJoin{.call = CallId(1), .name = "w", .incarnation = Incarnation(1), .address = "w:1",
                        .offer = muster::testing::Offer(10)}, now, &effects);
  core.Apply(SessionOpened{WorkerId(1), SessionNumber(1), Incarnation(1), {}}, now, &effects);
  for (const auto& queue : weights) {
    SubmitTasks batch;
    batch.batch_spec = InQueue(queue.first);
    batch.batch_rows = std::make_shared<const ArgumentRows>(kRounds, std::vector<std::string>{});
    core.Apply(std::move(batch), now, &effects);
  }
  std::map<std::string, int> served;
  int total = 0;
  effects = {};
  core.Turn(now, &effects);
  while (total < kRounds) {
    WorkerReports reports{WorkerId(1), SessionNumber(1)};
    for (const Effect& effect : effects.effects) {
      if (const auto* assign = std::get_if<Assign>(&effect)) {
        ++served[assign->spec->queue];
        ++total;
        reports.results.push_back(muster::testing::Report(assign->key, EndReason::kExited));
      }
    }
    ASSERT_FALSE(reports.results.empty());
    effects = {};
    core.Apply(std::move(reports), now, &effects);
    core.Turn(now, &effects);
  }
  for (const auto& [queue, weight] : weights) {
    const double share = static_cast<double>(served[queue]) / total;
    EXPECT_NEAR(share, weight / 10.0, 0.02 * weight / 10.0) << queue;
  }
}

// Random submits, ends, pauses, limits and restarts: after every step nothing runs beyond the limit that stood when it
// was placed, and a queue that could start something has.
TEST(QueuesTest, NoRandomScheduleBreaksALimitOrForgetsAQueue) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestCluster cluster;
    cluster.Join("a", 64);
    const std::vector<std::string> names = {"x", "y", "z"};
    std::vector<TaskId> tasks;
    for (int step = 0; step < 300; ++step) {
      const std::string& queue = names[random() % names.size()];
      const uint64_t before = cluster.core().FindQueue(queue, cluster.now()).running;
      switch (random() % 8) {
        case 0: Pause(cluster, queue, random() % 2 == 0 ? absl::InfiniteFuture() : cluster.now() + absl::Seconds(2)); break;
        case 1: Resume(cluster, queue); break;
        case 2: Set(cluster, queue, {.max_running = random() % 4}); break;
        case 3: cluster.Heartbeat("a"); cluster.Advance(absl::Milliseconds(random() % 1500)); break;
        case 4:
        case 5:
          if (!tasks.empty()) {
            const TaskId task = tasks[random() % tasks.size()];
            if (cluster.StateOf(task) == TaskState::kDispatched) cluster.Exit(task, 0);
          }
          break;
        default: tasks.push_back(cluster.Submit(InQueue(queue)));
      }
      for (const std::string& name : names) {
        const QueueView view = cluster.core().FindQueue(name, cluster.now());
        const uint64_t limit = view.settings.max_running;
        if (limit > 0 && name == queue) {
          ASSERT_LE(view.running, std::max(limit, before));
        }
        if (view.held_because.empty()) {
          ASSERT_EQ(view.queued, 0u) << name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace muster::core
