#include "common/base/refusal.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(Refusal, EveryViolationIsKeptWithItsField) {
  const absl::Status status =
      RefuseFields("BAD_TASK", {{"task.command.argv", "is empty"}, {"task.priority", "is 200; at most 100"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "BAD_TASK");
  const auto violations = ViolationsOf(status);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[1].field, "task.priority");
  EXPECT_EQ(violations[1].description, "is 200; at most 100");
  EXPECT_EQ(status.message(), "task.command.argv: is empty; task.priority: is 200; at most 100");
}

TEST(Refusal, ADescriptionWithANulByteDoesNotShiftTheOthers) {
  absl::Status status = Refuse(absl::StatusCode::kInvalidArgument, "X", "m");
  AddViolation(&status, {"a", std::string("x\0y", 3)});
  AddViolation(&status, {"b", "z"});
  const auto violations = ViolationsOf(status);
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_EQ(violations[1].field, "b");
}

TEST(Refusal, ADelayComesBackAsItWentIn) {
  const absl::Status status = RefuseForNow("QUEUE_FULL", "the queue is full", absl::Milliseconds(1500));
  EXPECT_EQ(RetryAfterOf(status), absl::Milliseconds(1500));
  EXPECT_FALSE(RetryAfterOf(Refuse(absl::StatusCode::kNotFound, "X", "m")).has_value());
}

TEST(Refusal, AStatusThatIsOkCarriesNothing) {
  absl::Status status;
  SetReason(&status, "X");
  SetRetryAfter(&status, absl::Seconds(1));
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(ReasonOf(status), "");
}

}  // namespace
}  // namespace muster
