#include "worker/execution/output_stream.h"

#include <gtest/gtest.h>

namespace muster::execution {
namespace {

constexpr auto kWindow = static_cast<size_t>(OutputStream::kWindowBytes);
const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

OutputStream Lossless() {
  OutputStream stream;
  stream.SetLossless(true);
  return stream;
}

TEST(OutputStream, ALossyStreamAlwaysHasRoom) {
  OutputStream stream;
  EXPECT_EQ(stream.Append(std::string(5 << 20, 'x')), size_t{5} << 20);
  EXPECT_GT(stream.Room(), 0u);
}

TEST(OutputStream, ALosslessStreamHasRoomForItsWindow) {
  OutputStream stream = Lossless();
  EXPECT_EQ(stream.Room(), kWindow);
  EXPECT_EQ(stream.Append(std::string(kWindow, 'x')), kWindow);
  EXPECT_EQ(stream.Room(), 0u);
  stream.Acknowledge(100);
  EXPECT_EQ(stream.Room(), 100u);
}

TEST(OutputStream, ALosslessStreamTakesWhatTheReportCanHoldAndNotAByteMore) {
  OutputStream stream = Lossless();
  stream.Append(std::string(kWindow, 'x'));
  EXPECT_EQ(stream.Append(std::string(70'000, 'y')), 65'536u);
  EXPECT_EQ(stream.Append("z"), 0u);
  EXPECT_EQ(stream.Take().total_bytes, RetainedOutput::kTailBytes);
}

TEST(OutputStream, UnblocksOnceWhenThereIsRoomAgain) {
  OutputStream stream = Lossless();
  stream.Append(std::string(kWindow, 'x'));
  EXPECT_FALSE(stream.Unblock());
  stream.Block(kNow);
  EXPECT_FALSE(stream.Unblock());  // still full
  stream.Acknowledge(1);
  EXPECT_TRUE(stream.Unblock());
  EXPECT_FALSE(stream.Unblock());
}

TEST(OutputStream, AnAcknowledgementPastTheEndIsCutToWhatWasWritten) {
  OutputStream stream = Lossless();
  stream.Append("abc");
  stream.Acknowledge(1'000'000'000);
  EXPECT_EQ(stream.Room(), kWindow);
}

TEST(OutputStream, SubscribingFromAnOffsetAcknowledgesWhatLiesBelow) {
  OutputStream stream = Lossless();
  stream.Append(std::string(kWindow, 'x'));
  stream.Subscribe(4096, true);
  EXPECT_EQ(stream.Room(), 4096u);
  EXPECT_EQ(stream.PendingBytes(), static_cast<int64_t>(kWindow) - 4096);
  const OutputStream::Chunk chunk = stream.NextChunk();
  EXPECT_EQ(chunk.offset, 4096);
  EXPECT_EQ(chunk.skipped, 0);
}

TEST(OutputStream, ALateReaderOfALossyStreamIsToldWhatIsGone) {
  OutputStream stream;
  const auto total = static_cast<size_t>(RetainedOutput::kHeadBytes + 2 * RetainedOutput::kTailBytes);
  stream.Append(std::string(total, 'x'));
  stream.Subscribe(0, false);
  int64_t bytes = 0, skipped = 0;
  while (stream.PendingBytes() > 0) {
    const OutputStream::Chunk chunk = stream.NextChunk();
    EXPECT_LE(chunk.bytes.size(), OutputStream::kChunkBytes);
    bytes += static_cast<int64_t>(chunk.bytes.size());
    skipped += chunk.skipped;
  }
  EXPECT_EQ(skipped, RetainedOutput::kTailBytes);
  EXPECT_EQ(bytes + skipped, static_cast<int64_t>(total));
}

TEST(OutputStream, AReaderThatIsGoneForTheGraceIsGivenUp) {
  OutputStream stream = Lossless();
  stream.Append(std::string(kWindow, 'x'));
  stream.Block(kNow);
  EXPECT_FALSE(stream.GiveUpOnReader(kNow + absl::Seconds(59), absl::Minutes(1)));
  EXPECT_TRUE(stream.GiveUpOnReader(kNow + absl::Seconds(60), absl::Minutes(1)));
  EXPECT_FALSE(stream.lossless());
  EXPECT_TRUE(stream.Unblock());
}

TEST(OutputStream, ASlowReaderThatIsThereIsNeverGivenUp) {
  OutputStream stream = Lossless();
  stream.Subscribe(0, true);
  stream.Append(std::string(kWindow, 'x'));
  stream.Block(kNow);
  EXPECT_FALSE(stream.GiveUpOnReader(kNow + absl::Hours(5), absl::Minutes(1)));
  // It leaves: its grace starts now, not when the stream became full.
  stream.Pause(kNow + absl::Hours(5));
  EXPECT_FALSE(stream.GiveUpOnReader(kNow + absl::Hours(5) + absl::Seconds(59), absl::Minutes(1)));
  EXPECT_TRUE(stream.GiveUpOnReader(kNow + absl::Hours(5) + absl::Seconds(60), absl::Minutes(1)));
}

TEST(OutputStream, DetachingEndsThePromiseAtOnce) {
  OutputStream stream = Lossless();
  stream.Append(std::string(kWindow, 'x'));
  stream.Block(kNow);
  stream.Detach();
  EXPECT_TRUE(stream.Unblock());
  EXPECT_EQ(stream.Append(std::string(3 << 20, 'x')), size_t{3} << 20);
  EXPECT_EQ(stream.PendingBytes(), 0);
}

TEST(OutputStream, WhatIsNotAcknowledgedAtTheEndIsInTheReport) {
  OutputStream stream = Lossless();
  stream.Subscribe(0, true);
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string piece(50'000, static_cast<char>('a' + i % 26));
    const size_t taken = stream.Append(piece);
    all += piece.substr(0, taken);
    if (i == 60) stream.Acknowledge(900'000);
  }
  const RetainedOutput output = stream.Take();
  const auto from = static_cast<size_t>(900'000 - output.tail_offset);
  ASSERT_LE(output.tail_offset, 900'000);
  EXPECT_TRUE(output.tail.substr(from) == all.substr(900'000));
}

}  // namespace
}  // namespace muster::execution
