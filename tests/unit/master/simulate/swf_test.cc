#include "master/simulate/swf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::simulate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kHeader[] = "; Version: 2.2\n;   MaxProcs:  128\n; Note: with a colon: here\n";

TEST(ReadSwfTest, AJobIsWhatItWas) {
  const auto trace = ReadSwf(std::string(kHeader) +
                             "  1  100  30  600  8 -1 -1 16 -1 -1 1 7 1 -1 2 -1 -1 -1\r\n"
                             "  2   40  10   60 -1 -1 -1  4 -1 -1 1 7 1 -1 2 -1 -1 -1\n\n");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(trace->fleet, ElementsAre(128u));
  ASSERT_EQ(trace->jobs.size(), 2u);
  EXPECT_EQ(trace->jobs[0].slots, 4u) << "requested, where what it had is not known";
  EXPECT_EQ(trace->jobs[1].arrival, absl::Seconds(60)) << "after the first, which stands second";
  EXPECT_EQ(trace->jobs[1].run_time, absl::Minutes(10));
  EXPECT_EQ(trace->jobs[1].slots, 8u);
  EXPECT_EQ(trace->mean_wait, absl::Seconds(20));
  ASSERT_EQ(trace->kinds.size(), 1u);
  EXPECT_EQ(trace->kinds[0].queue, "queue2");
  EXPECT_EQ(trace->kinds[0].owner, "user7");
}

TEST(ReadSwfTest, AJobThatNeverRanIsLeftOutAndCounted) {
  const auto trace = ReadSwf(
      "1 0 -1 -1 8 -1 -1 8 -1 -1 5 7 1 -1 2 -1 -1 -1\n2 5 0 10 3 -1 -1 8 -1 -1 1 -1 1 -1 -1 -1 -1 -1\n");
  ASSERT_TRUE(trace.ok());
  EXPECT_EQ(trace->left_out, 1u);
  ASSERT_EQ(trace->jobs.size(), 1u);
  EXPECT_THAT(trace->fleet, ElementsAre(3u)) << "without a header the widest job fits";
  EXPECT_EQ(trace->kinds[trace->jobs[0].kind].queue, "default");
}

TEST(ReadSwfTest, ALineThatIsNoJobIsNamed) {
  for (const char* const line : {"1 2 3", "x 0 0 1 1 -1 -1 1 -1 -1 1 1 1 1 1 1 1 1", "1 nan 0 1 1 -1 -1 1 -1 -1 1 1 1 1 1 1 1 1",
                                 "1 0 0 1e300 1 -1 -1 1 -1 -1 1 1 1 1 1 1 1 1", "1 0 0 1 1 -1 -1 1 -1 -1 1 1 1 1 1 1 1 1 1"}) {
    const auto trace = ReadSwf(std::string(kHeader) + line + "\n");
    ASSERT_FALSE(trace.ok()) << line;
    EXPECT_THAT(std::string(trace.status().message()), HasSubstr("line 4: ")) << line;
  }
  EXPECT_TRUE(ReadSwf("").ok());
}

}  // namespace
}  // namespace muster::simulate
