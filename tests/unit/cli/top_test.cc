#include "cli/top_frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/output.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kLookTime = absl::FromUnixSeconds(1'800'000'000);

std::vector<std::string> Plain(const std::vector<StyledLine>& frame) {
  std::vector<std::string> lines;
  for (const StyledLine& line : frame) lines.push_back(PlainText(line));
  return lines;
}

std::string Joined(const std::vector<StyledLine>& frame) {
  std::string text;
  for (const std::string& line : Plain(frame)) text += line + "\n";
  return text;
}

struct SmallCluster {
  SmallCluster() {
    view.snapshot.time = kLookTime;
    summary = view.snapshot.summary.mutable_summary();
    summary->set_cluster_id("0123456789abcdef");
    summary->set_epoch(3);
    convert::ToProto(kLookTime - absl::Minutes(125), summary->mutable_start_time());
    Open(v1::TASK_STATE_QUEUED, 120);
    Open(v1::TASK_STATE_RUNNING, 8);
  }
  void Open(v1::TaskState state, int64_t count) {
    v1::StateCount* const open = summary->add_open_tasks();
    open->set_state(state);
    open->set_count(count);
  }
  v1::Worker* AddWorker(const std::string& name, uint32_t used, uint32_t slots) {
    v1::Worker* const worker = view.snapshot.workers.add_workers();
    worker->set_name(name);
    worker->set_state(v1::WORKER_STATE_ACTIVE);
    worker->set_used_slots(used);
    worker->mutable_offer()->set_slots(slots);
    return worker;
  }
  v1::Task* AddTask(const std::string& id, absl::Duration age) {
    v1::Task* const task = view.snapshot.summary.add_longest_running();
    task->set_id(id);
    task->mutable_spec()->mutable_command()->add_argv("train");
    v1::Attempt* const attempt = task->add_attempts();
    attempt->set_worker("w1");
    convert::ToProto(kLookTime - age, attempt->mutable_start_time());
    return task;
  }
  v1::Queue* AddQueue(const std::string& name, int64_t waiting) {
    v1::Queue* const queue = view.snapshot.queues.add_queues();
    queue->set_name(name);
    queue->set_queued_count(waiting);
    return queue;
  }
  std::vector<StyledLine> Frame(int columns = 0, int rows = 0, const TopControls& controls = {}) const {
    return TopFrame(view, controls, {columns, rows}, rows > 0);
  }

  TopView view;
  v1::ClusterSummary* summary;
};

TEST(TopFrame, TheFirstLineSaysHowTheClusterIs) {
  SmallCluster cluster;
  cluster.view.rates = TopRates{.ended = 12.25, .failed = 0.04, .started = 1234};
  EXPECT_EQ(Plain(cluster.Frame())[0],
            "cluster 01234567  epoch 3  up 2h05m  queued 120  running 8  ended 12/s  failed 0.0/s  started 1234/s");
  EXPECT_EQ(Plain(cluster.Frame(80, 24))[0], "epoch 3  queued 120  running 8  ended 12/s  failed 0.0/s  started 1234/s")
      << "what is worth the least goes first";
  EXPECT_EQ(Plain(cluster.Frame(45, 24))[0], "queued 120  running 8  ended 12/s");
}

TEST(TopFrame, RatesAreUnknownUntilThereAreTwoLooks) {
  EXPECT_THAT(Plain(SmallCluster().Frame())[0], HasSubstr("ended -/s  failed -/s  started -/s"));
}

TEST(TopFrame, NeverExceedsTheScreenHoweverSmall) {
  SmallCluster cluster;
  for (int i = 0; i < 40; ++i) cluster.AddWorker("a-worker-with-a-long-name-" + std::to_string(i), 3, 4);
  for (int i = 0; i < 40; ++i) cluster.AddQueue("queue-" + std::to_string(i), i);
  for (int i = 0; i < 40; ++i) cluster.AddTask("T" + std::to_string(i), absl::Minutes(i));
  for (int rows = 1; rows < 60; ++rows) {
    for (int columns : {1, 2, 5, 20, 40, 79, 80, 200}) {
      const std::vector<std::string> lines = Plain(cluster.Frame(columns, rows));
      ASSERT_LE(lines.size(), static_cast<size_t>(rows));
      for (const std::string& line : lines) ASSERT_LE(DisplayWidth(line), static_cast<size_t>(columns)) << line;
      if (rows >= 12) {
        ASSERT_EQ(lines.size(), static_cast<size_t>(rows)) << "it fills the screen, the keys are its last line";
      }
    }
  }
}

TEST(TopFrame, WhatHasNoRoomIsCounted) {
  SmallCluster cluster;
  for (int i = 0; i < 30; ++i) cluster.AddWorker("w" + std::to_string(i), 0, 1);
  cluster.AddQueue("default", 1);
  cluster.AddTask("7", absl::Minutes(1));
  const std::string frame = Joined(cluster.Frame(100, 24));
  // 24 rows: two lines of the cluster, a blank and a header for each of three, the keys: 15 are left, 13 for workers.
  EXPECT_THAT(frame, AllOf(HasSubstr("... and 18 more"), HasSubstr("default"), HasSubstr("train")));
}

TEST(TopFrame, SlotsAreABarAndABusyOneIsNeverEmpty) {
  SmallCluster cluster;
  cluster.AddWorker("w1", 4, 8);
  cluster.AddWorker("w2", 1, 64);
  cluster.AddWorker("w3", 0, 0);
  const std::string frame = Joined(cluster.Frame());
  EXPECT_THAT(frame, AllOf(HasSubstr("[#####.....] 4/8"), HasSubstr("[#.........] 1/64"), HasSubstr("[..........] 0/0")));
}

TEST(TopFrame, NothingFromAPeerIsAnOrderToTheTerminal) {
  SmallCluster cluster;
  const std::string evil = "x\033[2J\033]0;owned\a\r\n\xC2\x9B" "31m\xE2\x80\xAEy";
  v1::Worker* const worker = cluster.AddWorker(evil, 1, 1);
  worker->set_reason(evil);
  cluster.AddQueue(evil, 1)->set_held_because(evil);
  v1::Task* const task = cluster.AddTask(evil, absl::Minutes(1));
  task->mutable_spec()->set_name(evil);
  task->mutable_spec()->mutable_command()->add_argv(evil);
  task->mutable_attempts(0)->set_worker(evil);
  cluster.summary->set_cluster_id(evil);
  cluster.view.trouble = evil;
  for (const int columns : {0, 200, 30}) {
    for (const std::string& line : Plain(cluster.Frame(columns, columns == 0 ? 0 : 40))) {
      for (const char c : line) ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F) << line;
      EXPECT_THAT(line, AllOf(Not(HasSubstr("\xC2\x9B")), Not(HasSubstr("\xE2\x80\xAE"))));
    }
  }
}

TEST(TopFrame, AStragglerIsMarkedWithHowManyTimesItsUsual) {
  SmallCluster cluster;
  convert::ToProto(absl::Seconds(45), cluster.AddTask("3F", absl::Minutes(3))->mutable_straggler()->mutable_p90());
  cluster.AddTask("40", absl::Minutes(2));
  const std::string frame = Joined(cluster.Frame());
  EXPECT_THAT(frame, AllOf(HasSubstr("3m00s (4x usual)"), HasSubstr("2m00s"), Not(HasSubstr("2m00s ("))));
}

TEST(TopFrame, TheFilterShowsWhatHasItInAnyCell) {
  SmallCluster cluster;
  cluster.AddWorker("alpha", 1, 1);
  cluster.AddWorker("beta", 1, 1)->set_state(v1::WORKER_STATE_LOST);
  TopControls controls;
  controls.Press("/LoSt\r");
  const std::string frame = Joined(cluster.Frame(100, 30, controls));
  EXPECT_THAT(frame, AllOf(HasSubstr("beta"), Not(HasSubstr("alpha")), HasSubstr("only what has 'LoSt' in it")));
}

TEST(TopFrame, TheOrderPutsTheBusiestOrTheTroubledFirst) {
  SmallCluster cluster;
  cluster.AddWorker("a", 0, 4);
  cluster.AddWorker("b", 4, 4);
  cluster.AddWorker("c", 1, 4)->set_state(v1::WORKER_STATE_QUARANTINED);
  const auto order = [&](const TopControls& controls) {
    std::string names;
    for (const std::string& line : Plain(cluster.Frame(0, 0, controls))) {
      if (line.find("] ") != std::string::npos) names += line[0];
    }
    return names;
  };
  TopControls controls;
  EXPECT_EQ(order(controls), "abc");
  controls.Press("s");
  EXPECT_EQ(order(controls), "bca");
  controls.Press("s");
  EXPECT_EQ(order(controls), "cab");
  controls.Press("s");
  EXPECT_EQ(order(controls), "abc");
}

TEST(TopControls, KeysDoWhatTheLastLineSays) {
  using Wish = TopControls::Wish;
  TopControls controls;
  EXPECT_EQ(controls.Press("q"), Wish::kQuit);
  EXPECT_EQ(controls.Press("\x03"), Wish::kInterrupt);
  EXPECT_EQ(controls.Press("p"), Wish::kRedraw);
  EXPECT_TRUE(controls.paused());
  EXPECT_EQ(controls.Press("\033[A"), Wish::kNone) << "an arrow is not Escape and two letters";
  controls.Press("/q");
  EXPECT_EQ(controls.filter(), "q") << "a letter while the filter is typed is no key";
  EXPECT_EQ(controls.Press("\x03"), Wish::kInterrupt) << "Ctrl-C always is";
  controls.Press("\xC3\xA4\x7F\x7F\x7F");
  EXPECT_EQ(controls.filter(), "") << "characters are taken back, not bytes";
  controls.Press("ab\r");
  EXPECT_FALSE(controls.typing());
  controls.Press("\033");
  EXPECT_EQ(controls.filter(), "");
}

TEST(ShareRows, TheSmallAreServedWhole) {
  EXPECT_THAT(ShareRows({30, 1, 2}, 10), ElementsAre(7, 1, 2));
  EXPECT_THAT(ShareRows({5, 5, 5}, 7), ElementsAre(3, 2, 2));
  EXPECT_THAT(ShareRows({1, 1, 1}, 100), ElementsAre(1, 1, 1));
  EXPECT_THAT(ShareRows({3, 3, 3}, 0), ElementsAre(0, 0, 0));
}

TopSnapshot Counted(absl::Time time, int64_t epoch, int64_t ended) {
  TopSnapshot snapshot;
  snapshot.time = time;
  snapshot.summary.mutable_summary()->set_epoch(epoch);
  snapshot.summary.mutable_summary()->set_ended_count(ended);
  snapshot.summary.mutable_summary()->set_failed_count(ended / 10);
  snapshot.summary.mutable_summary()->set_dispatched_count(ended * 2);
  return snapshot;
}

TEST(TopRates, AreOfTheTimeBetweenTwoLooks) {
  const auto rates = RatesBetween(Counted(kLookTime, 1, 100), Counted(kLookTime + absl::Seconds(4), 1, 300));
  ASSERT_TRUE(rates.has_value());
  EXPECT_DOUBLE_EQ(rates->ended, 50);
  EXPECT_DOUBLE_EQ(rates->failed, 5);
  EXPECT_DOUBLE_EQ(rates->started, 100);
}

TEST(TopRates, ARestartedMasterCountsFromZeroAndThatIsNoRate) {
  EXPECT_FALSE(RatesBetween(Counted(kLookTime, 1, 100), Counted(kLookTime + absl::Seconds(4), 2, 3)).has_value());
  EXPECT_FALSE(RatesBetween(Counted(kLookTime, 1, 100), Counted(kLookTime, 1, 100)).has_value());
}

TEST(TopJson, IsOneObjectOfTheApisOwnMessages) {
  SmallCluster cluster;
  cluster.AddWorker("w1", 1, 2);
  cluster.view.rates = TopRates{.ended = 1, .failed = 0, .started = 2};
  const std::string json = TopJson(cluster.view);
  EXPECT_THAT(json, AllOf(HasSubstr("\"summary\":{"), HasSubstr("\"workers\":[{\"name\":\"w1\""), HasSubstr("\"queues\":[]"),
                          HasSubstr("\"rates\":{\"ended_per_second\":1,")));
  EXPECT_THAT(json, Not(HasSubstr("\n")));
  cluster.view.rates.reset();
  EXPECT_THAT(TopJson(cluster.view), HasSubstr("\"rates\":null"));
}

}  // namespace
}  // namespace muster::cli
