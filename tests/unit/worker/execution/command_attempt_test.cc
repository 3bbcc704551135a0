// The executor `command` behind the host: what users see of one attempt.
#include <gtest/gtest.h>

#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

TEST(CommandAttempt, KeepsStreamsApartAndTheExitCode) {
  HostFixture host;
  const AttemptReportPtr report = host.RunCommand({"sh", "-c", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->end.exit_code, 7);
  EXPECT_EQ(report->stdout_output.head, "out\n");
  EXPECT_EQ(report->stderr_output.head, "err\n");
  EXPECT_TRUE(report->started);
  EXPECT_FALSE(report->stopped);
}

}  // namespace
}  // namespace muster::execution
