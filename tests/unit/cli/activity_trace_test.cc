#include "cli/activity_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace muster::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string At(int second, const std::string& event) {
  const std::string text = (second < 10 ? "0" : "") + std::to_string(second);
  return R"({"commit":"1","index":0,"time":"2026-01-02T03:04:)" + text + R"(Z",)" + event + "}\n";
}

const std::string kJoins = At(0, R"("worker_joined":{"worker":"a","slots":2,"a_later_field":1})") +
                           At(0, R"("worker_joined":{"worker":"a","slots":4})") +
                           At(0, R"("worker_joined":{"worker":"b","slots":1})");

TEST(ReadActivityTraceTest, ABatchIsItsTasksAndAWaitEndsWithTheFirstStart) {
  const auto trace = ReadActivityTrace(
      kJoins + At(1, R"("task_accepted":{"task_id":"Z","count":"2","owner":"ann","queue":"q"})") +
      At(3, R"("attempt_started":{"task_id":"Z","attempt":1,"worker":"a"})") +
      At(4, R"("attempt_ended":{"task_id":"Z","attempt":1,"worker":"a"})") +
      At(9, R"("attempt_started":{"task_id":"Z","attempt":2,"worker":"a"})") +
      At(11, R"("task_ended":{"task_id":"Z","attempt":2,"state":"TASK_STATE_SUCCEEDED"})") +
      At(5, R"("attempt_started":{"task_id":"10","attempt":1,"worker":"b"})") +
      At(6, R"("task_ended":{"task_id":"10","attempt":1})"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(trace->fleet, ElementsAre(4u, 1u)) << "as each joined last";
  ASSERT_EQ(trace->jobs.size(), 2u) << "Z and the id after it";
  EXPECT_EQ(trace->jobs[0].run_time, absl::Seconds(3)) << "both attempts";
  EXPECT_EQ(trace->jobs[1].run_time, absl::Seconds(1));
  EXPECT_EQ(trace->mean_wait, absl::Seconds(3)) << "of 2 and 4";
  EXPECT_EQ(trace->kinds[trace->jobs[0].kind].queue, "q");
  EXPECT_EQ(trace->left_out, 0u);
}

TEST(ReadActivityTraceTest, WhatNeverStartedOrNeverEndedIsLeftOut) {
  const auto trace = ReadActivityTrace(kJoins + At(1, R"("task_accepted":{"task_id":"5","count":"3"})") +
                                       At(2, R"("attempt_started":{"task_id":"5","attempt":1})") +
                                       At(2, R"("task_ended":{"task_id":"6","state":"TASK_STATE_CANCELLED"})") +
                                       At(2, R"("task_ended":{"task_id":"not known"})"));
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_TRUE(trace->jobs.empty());
  EXPECT_EQ(trace->left_out, 3u);
}

TEST(ReadActivityTraceTest, ALineThatIsNoRecordIsNamed) {
  const std::string no_time = R"({"commit":"1","task_accepted":{"task_id":"5","count":"1"}})" "\n";
  for (const std::string& line : {no_time, std::string("{\n"), std::string("[]\n"), At(1, R"("task_accepted":{"task_id":"U","count":"1"})"),
                                 At(1, R"("task_accepted":{"task_id":"5","count":"90000000000"})")}) {
    const auto trace = ReadActivityTrace(kJoins + line);
    ASSERT_FALSE(trace.ok()) << line;
    EXPECT_THAT(std::string(trace.status().message()), HasSubstr("line 4")) << line;
  }
}

}  // namespace
}  // namespace muster::cli
