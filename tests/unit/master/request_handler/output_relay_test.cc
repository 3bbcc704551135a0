#include "master/request_handler/output_relay.h"

#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace muster::handler {
namespace {

using core::OutputStreamKind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto kStdout = OutputStreamKind::kStdout;
constexpr WorkerId kWorker(1);
constexpr AttemptKey kKey{TaskId(9), AttemptNumber(1)};

class FakeSource final : public core::OutputSource {
 public:
  void Subscribe(WorkerId, AttemptKey, OutputStreamKind, int64_t offset, bool lossless) override {
    said.push_back(absl::StrCat("subscribe ", offset, lossless ? " lossless" : ""));
  }
  void Acknowledge(WorkerId, AttemptKey, OutputStreamKind, int64_t offset) override {
    said.push_back(absl::StrCat("acknowledge ", offset));
  }
  void Pause(WorkerId, AttemptKey, OutputStreamKind) override { said.push_back("pause"); }
  void Detach(WorkerId, AttemptKey, OutputStreamKind) override { said.push_back("detach"); }

  std::vector<std::string> Said() { return std::exchange(said, {}); }
  std::vector<std::string> said;
};

class FakeReader final : public OutputReader {
 public:
  void OnOutput(AttemptKey, OutputStreamKind, int64_t, const std::string& bytes, int64_t) override { got += bytes; }
  int64_t WantedOffset(AttemptKey, OutputStreamKind) override { return wanted; }
  std::string got;
  int64_t wanted = 0;
};

class OutputRelayTest : public testing::Test {
 protected:
  OutputRelayTest() { relay.SetSource(&source); }

  FakeSource source;
  OutputRelay relay;
  std::shared_ptr<FakeReader> a = std::make_shared<FakeReader>();
  std::shared_ptr<FakeReader> b = std::make_shared<FakeReader>();
};

TEST_F(OutputRelayTest, EveryReaderOfTheAttemptGetsItsBytes) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, false);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, false);
  relay.OnOutput(kKey, kStdout, 0, "x", 0);
  relay.OnOutput({TaskId(8), AttemptNumber(1)}, kStdout, 0, "y", 0);
  EXPECT_EQ(a->got, "x");
  EXPECT_EQ(b->got, "x");
}

TEST_F(OutputRelayTest, BytesAreFreedWhenTheSlowestLosslessReaderIsDoneWithThem) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, true);
  source.Said();
  relay.Acknowledge(a.get(), kKey, kStdout, 100);
  EXPECT_THAT(source.Said(), IsEmpty());
  relay.Acknowledge(b.get(), kKey, kStdout, 60);
  EXPECT_THAT(source.Said(), ElementsAre("acknowledge 60"));
  relay.Acknowledge(b.get(), kKey, kStdout, 50);
  EXPECT_THAT(source.Said(), IsEmpty()) << "an acknowledgement is not taken back";
}

TEST_F(OutputRelayTest, LogsBesideALosslessReaderDoNotMakeTheStreamLossy) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, false);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 0 lossless", "subscribe 0 lossless"));
  relay.Hold(b.get(), kKey, kStdout);
  EXPECT_THAT(source.Said(), IsEmpty()) << "the other one still reads";
}

TEST_F(OutputRelayTest, ASlowLossyReaderPausesTheStream) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, false);
  source.Said();
  relay.Hold(a.get(), kKey, kStdout);
  EXPECT_THAT(source.Said(), ElementsAre("pause"));
  relay.Subscribe(a, kWorker, kKey, kStdout, 50, false);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 50"));
}

TEST_F(OutputRelayTest, TheLastReaderToLeaveStopsTheStream) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, false);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, false);
  source.Said();
  relay.Leave(a.get(), kKey, OutputRelay::Why::kGone);
  EXPECT_THAT(source.Said(), IsEmpty());
  relay.LeaveAll(b.get(), OutputRelay::Why::kGone);
  EXPECT_THAT(source.Said(), ElementsAre("pause"));
  EXPECT_EQ(relay.attempt_count(), 0u);
}

TEST_F(OutputRelayTest, DetachingOneOfTwoLosslessReadersKeepsTheCommandWaitingForTheOther) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, true);
  source.Said();
  relay.Leave(a.get(), kKey, OutputRelay::Why::kDetached);
  EXPECT_THAT(source.Said(), IsEmpty());
  relay.Leave(b.get(), kKey, OutputRelay::Why::kDetached);
  EXPECT_THAT(source.Said(), ElementsAre("detach"));
}

TEST_F(OutputRelayTest, AnAttemptThatEndedNeedsNoWord) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  source.Said();
  relay.Leave(a.get(), kKey, OutputRelay::Why::kEnded);
  EXPECT_THAT(source.Said(), IsEmpty());
  EXPECT_EQ(relay.attempt_count(), 0u);
}

TEST_F(OutputRelayTest, AWorkerThatIsBackSendsFromWhereTheSlowestReaderIs) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  relay.Subscribe(b, kWorker, kKey, kStdout, 0, false);
  source.Said();
  a->wanted = 70;
  b->wanted = 40;
  relay.OnWorkerReachable(WorkerId(2));
  EXPECT_THAT(source.Said(), IsEmpty());
  relay.OnWorkerReachable(kWorker);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 40 lossless"));
}

TEST_F(OutputRelayTest, AcknowledgementsThatAnAbsentWorkerMissedAreRepeated) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  relay.Acknowledge(a.get(), kKey, kStdout, 30);
  source.Said();
  a->wanted = 30;
  relay.OnWorkerReachable(kWorker);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 30 lossless", "acknowledge 30"));
}

TEST_F(OutputRelayTest, AReaderThatGoesOnWhereItWasFreesWhatItHad) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 1000, true);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 1000 lossless", "acknowledge 1000"));
  relay.Subscribe(a, kWorker, kKey, kStdout, 2000, true);
  EXPECT_THAT(source.Said(), ElementsAre("subscribe 2000 lossless")) << "asking anew frees nothing";
}

TEST_F(OutputRelayTest, AReaderThatWantsNothingMoreIsNotSubscribedAnew) {
  relay.Subscribe(a, kWorker, kKey, kStdout, 0, true);
  source.Said();
  a->wanted = -1;
  relay.OnWorkerReachable(kWorker);
  EXPECT_THAT(source.Said(), IsEmpty());
}

}  // namespace
}  // namespace muster::handler
