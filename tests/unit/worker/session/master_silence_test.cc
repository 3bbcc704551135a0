#include "worker/session/master_silence.h"

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

absl::Time At(double seconds) { return absl::FromUnixSeconds(1'800'000'000) + absl::Seconds(seconds); }

TEST(MasterSilence, ThreeIntervalsWithoutAnAnswerAreSilence) {
  MasterSilence silence;
  silence.Heard(At(0), absl::Seconds(2));
  EXPECT_EQ(silence.At(At(6)), absl::ZeroDuration()) << "one call that is slow is none yet";
  EXPECT_EQ(silence.At(At(12)), absl::Seconds(12));
}

TEST(MasterSilence, AnAnswerEndsIt) {
  MasterSilence silence;
  silence.Heard(At(0), absl::Seconds(2));
  ASSERT_EQ(silence.At(At(60)), absl::Seconds(60));
  silence.Heard(At(60), absl::Seconds(2));
  EXPECT_EQ(silence.At(At(61)), absl::ZeroDuration());
}

TEST(MasterSilence, ShortIntervalsAreNoReasonToCryAtEachHiccup) {
  MasterSilence silence;
  silence.Heard(At(0), absl::Milliseconds(30));
  EXPECT_EQ(silence.At(At(0.9)), absl::ZeroDuration());
  EXPECT_EQ(silence.At(At(1.5)), absl::Seconds(1.5));
}

TEST(MasterSilence, BeforeTheFirstAnswerThereIsNoneToMiss) {
  EXPECT_EQ(MasterSilence().At(At(1000)), absl::ZeroDuration());
}

}  // namespace
}  // namespace muster::worker
