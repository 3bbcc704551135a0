#include "common/rpc/status.h"

#include <gtest/gtest.h>

#include "common/base/refusal.h"
#include "common/rpc/credentials.h"

namespace muster::rpc {
namespace {

TEST(StatusOnTheWire, ARefusalKeepsReasonFieldsAndDelay) {
  absl::Status refusal = RefuseFields("BAD_TASK", {{"task.name", "is too long"}});
  SetRetryAfter(&refusal, absl::Milliseconds(1250));
  const absl::Status back = FromGrpc(ToGrpc(refusal));
  EXPECT_EQ(back.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(back), "BAD_TASK");
  EXPECT_EQ(RetryAfterOf(back), absl::Milliseconds(1250));
  ASSERT_EQ(ViolationsOf(back).size(), 1u);
  EXPECT_EQ(ViolationsOf(back)[0].field, "task.name");
}

TEST(StatusOnTheWire, DetailsThatAreGarbageAreIgnored) {
  const absl::Status back = FromGrpc({grpc::StatusCode::INTERNAL, "broken", "\xff\xfe not a message"});
  EXPECT_EQ(back.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(back.message(), "broken");
}

// gRPC gives up on trailers of more than 8 KiB, and the caller would hear of that and of nothing else.
TEST(StatusOnTheWire, AFloodOfViolationsStillFitsIntoTheTrailers) {
  std::vector<FieldViolation> violations;
  for (int i = 0; i < 32; ++i) violations.push_back({"tasks[17].command.environment", std::string(200, 'x')});
  const grpc::Status status = ToGrpc(RefuseFields("BAD_TASK", violations));
  EXPECT_LT(3 * status.error_message().size() + status.error_details().size() * 4 / 3, 8000u);
  const absl::Status back = FromGrpc(status);
  EXPECT_EQ(ReasonOf(back), "BAD_TASK");
  EXPECT_FALSE(ViolationsOf(back).empty());
}

TEST(StatusOnTheWire, AMessageIsOneLineOfText) {
  EXPECT_EQ(ToGrpc(absl::InternalError("two\nlines and \xff")).error_message(), "two lines and ?");
}

TEST(StatusOnTheWire, OkIsOk) { EXPECT_TRUE(FromGrpc(ToGrpc(absl::OkStatus())).ok()); }

TEST(Credentials, OnlyLoopbackIsLoopback) {
  for (const char* address : {"127.0.0.1:1", "localhost:7070", "[::1]:1", "unix:/x", "127.1.2.3:0", "::1:7070", "127.0.0.1:65535"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example:1", "", "1127.0.0.1:1", "127.0.0.1", "127.0.0.1:65536",
                              "127.example.org:1", "[::2]:1", ":7080"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

// civetweb would listen on each of a list, and reads letters behind a port.
TEST(Credentials, AListOfAddressesIsNoAddress) {
  for (const char* address : {"127.0.0.1:7080,0.0.0.0:7090", "127.0.0.1:7080,7090", "127.0.0.1:7080s", "127.0.0.1:+7080", "127.0.0.1:",
                              "localhost:1,0.0.0.0:2", "[::1]:1,[::]:2", "7080,127.0.0.1:7081", "127.0.0.1:7080 "}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
    EXPECT_FALSE(IsOneAddress(address)) << address;
  }
  for (const char* address : {"0.0.0.0:7082", "[::]:7082", "node-1.example:7082", "127.0.0.1:0"}) EXPECT_TRUE(IsOneAddress(address)) << address;
}

}  // namespace
}  // namespace muster::rpc
