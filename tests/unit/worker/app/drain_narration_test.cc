#include "worker/app/drain_narration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/worker/app/attempt_key.h"

namespace muster::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DrainNarrationTest : public ::testing::Test {
 protected:
  std::vector<std::string> At(double seconds, std::vector<AttemptKey> running, uint32_t unacknowledged = 0) {
    WorkerCoreView view;
    view.draining = true;
    view.running = static_cast<uint32_t>(running.size()) + direct_;
    view.unacknowledged = unacknowledged;
    view.drain = DrainView{.deadline = start_ + absl::Seconds(25),
                           .give_up = start_ + absl::Seconds(30),
                           .leaving = true,
                           .running = std::move(running),
                           .stopped = stopped_};
    return narration_.Next(view, start_ + absl::Seconds(seconds));
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'800'000'000);
  uint32_t direct_ = 0;
  std::vector<AttemptKey> stopped_;
  DrainNarration narration_{"w1"};
};

TEST_F(DrainNarrationTest, TellsWhatRunsWhatEndsAndWhatIsStopped) {
  EXPECT_THAT(At(0, {Key(7), Key(9, 2)}),
              ElementsAre("w1 takes nothing new; 2 attempts run: task 7 (attempt 1), task 9 (attempt 2); 25 s left"));
  EXPECT_THAT(At(0.1, {Key(7), Key(9, 2)}), IsEmpty()) << "nothing is new";
  EXPECT_THAT(At(3.5, {Key(9, 2)}, 1),
              ElementsAre("ended: task 7 (attempt 1)", "1 attempt runs: task 9 (attempt 2); 22 s left"));
  EXPECT_THAT(At(8.5, {Key(9, 2)}, 1), ElementsAre("1 attempt runs: task 9 (attempt 2); 17 s left")) << "time passes";
  stopped_ = {Key(9, 2)};
  EXPECT_THAT(At(25, {Key(9, 2)}),
              ElementsAre("time is up: stopping task 9 (attempt 2); it is reported PREEMPTED, which uses up no attempt",
                          "1 attempt runs: task 9 (attempt 2); 5 s left"));
  EXPECT_THAT(At(26, {}, 1), ElementsAre("ended: task 9 (attempt 2)",
                                         "nothing runs; 1 result waits for the master's acknowledgement; 4 s left"));
  EXPECT_THAT(At(26.2, {}), ElementsAre("nothing runs, and every result is acknowledged"));
}

TEST_F(DrainNarrationTest, AStopThatIsOverBeforeAnybodyLooksIsToldToo) {
  At(24.9, {Key(7)});
  stopped_ = {Key(7)};
  EXPECT_THAT(At(25, {}, 1),
              ElementsAre("time is up: stopping task 7 (attempt 1); it is reported PREEMPTED, which uses up no attempt",
                          "ended: task 7 (attempt 1)",
                          "nothing runs; 1 result waits for the master's acknowledgement; 5 s left"));
}

TEST_F(DrainNarrationTest, APersonsExecuteIsNotHidden) {
  direct_ = 1;
  EXPECT_THAT(At(0, {}), ElementsAre("w1 takes nothing new; no attempt runs, but 1 direct execution; 30 s left"));
}

TEST_F(DrainNarrationTest, AThousandAttemptsAreOneLine) {
  std::vector<AttemptKey> many;
  for (uint64_t i = 1; i <= 1000; ++i) many.push_back(Key(i));
  const auto lines = At(0, many);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_LT(lines[0].size(), 300u);
  EXPECT_THAT(lines[0], ::testing::HasSubstr("1000 attempts run: "));
  EXPECT_THAT(lines[0], ::testing::HasSubstr("and 992 more"));
}

TEST_F(DrainNarrationTest, AfterAResumeTheNextDrainBeginsAnew) {
  At(0, {Key(7)});
  EXPECT_THAT(narration_.Next(WorkerCoreView(), start_), IsEmpty());
  EXPECT_THAT(At(1, {Key(7)}), ElementsAre("w1 takes nothing new; 1 attempt runs: task 7 (attempt 1); 24 s left"));
}

}  // namespace
}  // namespace muster::worker
