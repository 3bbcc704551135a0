#include "cli/queue_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "cli/queue_table.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(QueueFlags, EachFlagFindsItsSettingAndItsPlaceInTheMask) {
  QueueFlags flags;
  flags.weight = 3;
  flags.rate = "30/m:5";
  flags.retries = 2;
  flags.retry_delay = "2s,1m";
  flags.retry_on = "75";
  flags.never_retry = "2,64";
  flags.unset = {"timeout"};
  const auto request = flags.Build("nightly");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->name(), "nightly");
  EXPECT_EQ(request->settings().weight(), 3u);
  EXPECT_EQ(request->settings().start_rate(), 0.5);
  EXPECT_EQ(request->settings().burst(), 5u);
  EXPECT_EQ(request->settings().defaults().retry().max_attempts(), 3u);
  EXPECT_THAT(request->settings().defaults().retry().on_exit_codes(), ElementsAre(75));
  EXPECT_THAT(request->settings().defaults().retry().never_on_exit_codes(), ElementsAre(2, 64));
  EXPECT_EQ(SettingsText(request->settings()), "weight 3, rate 30/m:5, retries 2, retry on 75, never retry 2,64");
  EXPECT_THAT(request->update_mask().paths(), ElementsAre("weight", "start_rate", "burst", "defaults.retry", "defaults.run_timeout"));
}

TEST(QueueFlags, NoRateIsARateOfZero) {
  QueueFlags flags;
  flags.rate = "none";
  const auto request = flags.Build("nightly");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->settings().start_rate(), 0);
  EXPECT_THAT(request->update_mask().paths(), ElementsAre("start_rate", "burst"));
}

TEST(QueueFlags, WhatMakesNoSenseIsSaidInOneLine) {
  const auto message = [](const std::function<void(QueueFlags*)>& change) {
    QueueFlags flags;
    change(&flags);
    return std::string(flags.Build("nightly").status().message());
  };
  EXPECT_THAT(message([](QueueFlags*) {}), HasSubstr("nothing to set"));
  for (const char* rate : {"fast", "-1/s", "2/s:0", "2/s:x", "0", "/s"}) {
    EXPECT_THAT(message([&](QueueFlags* flags) { flags->rate = rate; }), HasSubstr("is not N/s[:BURST]")) << rate;
  }
  EXPECT_THAT(message([](QueueFlags* flags) { flags->unset = {"colour"}; }), HasSubstr("'colour' is not one of"));
  EXPECT_THAT(message([](QueueFlags* flags) { flags->retry_delay = "1s"; }), HasSubstr("need --retries"));
  EXPECT_THAT(message([](QueueFlags* flags) { flags->never_retry = "2"; }), HasSubstr("need --retries"));
  EXPECT_THAT(message([](QueueFlags* flags) {
                flags->retries = 1;
                flags->retry_on = "2-4";
                flags->never_retry = "3";
              }),
              HasSubstr("exit code 3 is in --retry-on and in --never-retry"));
}

TEST(QueueTable, ARowSaysWhatHoldsTheQueue) {
  v1::Queue queue;
  queue.set_name("nightly");
  queue.mutable_settings()->set_weight(3);
  queue.mutable_settings()->set_max_running(8);
  queue.mutable_settings()->set_start_rate(2);
  queue.mutable_settings()->set_burst(10);
  queue.set_queued_count(12);
  queue.set_running_count(8);
  queue.mutable_oldest_wait()->set_seconds(40);
  queue.set_held_because("runs 8 of at most 8");
  EXPECT_THAT(QueueRow(queue, false),
              ElementsAre("nightly", "3", "12", "8/8", "2/s:10", "40s", "HELD", "runs 8 of at most 8"));
  EXPECT_EQ(SettingsText(queue.settings()), "weight 3, at most 8 running, rate 2/s:10");
  queue.set_paused(true);
  queue.set_held_because("is paused until it is resumed: a deploy");
  EXPECT_EQ(QueueRow(queue, false).back(), "paused until it is resumed: a deploy");
  EXPECT_EQ(QueueState(queue), "PAUSED");
  EXPECT_EQ(QueueRow(queue, true).size(), QueueHeader(true).size());
}

}  // namespace
}  // namespace muster::cli
