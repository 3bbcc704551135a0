// A master's message, as the loop's events.
#include "worker/session/order_reader.h"

#include <gtest/gtest.h>

#include <variant>

#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

constexpr int kStdout = v1::OUTPUT_STREAM_STDOUT;

class OrderReaderTest : public testing::Test {
 protected:
  SessionMessage Read() {
    SessionMessage message{.stream = StreamId(3)};
    malformed_ = ReadOrders(request_, {{"w1", "master:7070"}, absl::Seconds(25), absl::FromUnixSeconds(100)}, &message);
    return message;
  }
  template <typename Event>
  Event Only() {
    const SessionMessage message = Read();
    EXPECT_EQ(message.events.size(), 1u);
    return std::get<Event>(message.events.at(0));
  }
  void Output(int stream, int action, int64_t offset) {
    v1::OutputControl* control = request_.add_output();
    control->set_stream(static_cast<v1::OutputStream>(stream));
    control->set_action(static_cast<v1::OutputControl::Action>(action));
    control->set_offset(offset);
  }

  v1::SessionRequest request_;
  uint32_t malformed_ = 0;
};

TEST_F(OrderReaderTest, AnOrderAboutAnAttemptComesAfterItsAssignment) {
  for (v1::AttemptKey* key : {request_.add_recalls(), request_.add_stops()->mutable_key(),
                              request_.add_assignments()->mutable_key()}) {
    key->set_task(7);
    key->set_attempt(1);
  }
  const SessionMessage message = Read();
  ASSERT_EQ(message.events.size(), 3u);
  EXPECT_TRUE(std::holds_alternative<Assigned>(message.events[0]));
  EXPECT_TRUE(std::holds_alternative<StopRequested>(message.events[1]));
  EXPECT_TRUE(std::holds_alternative<RecallRequested>(message.events[2]));
}

TEST_F(OrderReaderTest, ImpossibleNamesAreLeftOutAndCounted) {
  request_.add_assignments();
  request_.add_assignments()->mutable_key()->set_task(7);
  EXPECT_TRUE(Read().events.empty());
  EXPECT_EQ(malformed_, 2u);
}

TEST_F(OrderReaderTest, AReasonOfALaterVersionIsACancel) {
  request_.add_stops()->set_reason(static_cast<v1::EndReason>(99));
  EXPECT_EQ(Only<StopRequested>().reason, EndReason::kCancelled);
}

TEST_F(OrderReaderTest, ADrainWithoutADeadlineTakesTheWorkersOwn) {
  request_.mutable_drain();
  EXPECT_EQ(Only<DrainRequested>().deadline, absl::FromUnixSeconds(125));
  request_.mutable_drain()->mutable_deadline()->set_seconds(3);
  EXPECT_EQ(Only<DrainRequested>().deadline, absl::FromUnixSeconds(103));
}

TEST_F(OrderReaderTest, OutputOrdersThatMakeNoSenseAreLeftOut) {
  Output(kStdout, v1::OutputControl::ACTION_SUBSCRIBE, 5);
  Output(kStdout, v1::OutputControl::ACTION_SUBSCRIBE, -1);
  Output(kStdout, v1::OutputControl::ACTION_UNSPECIFIED, 0);
  Output(kStdout, 99, 0);
  Output(99, v1::OutputControl::ACTION_PAUSE, 0);
  const SessionMessage message = Read();
  ASSERT_EQ(message.output.size(), 1u);
  EXPECT_EQ(message.output[0].offset, 5);
}

}  // namespace
}  // namespace muster::worker
