#include "worker/execution/stream_buffer.h"

#include <gtest/gtest.h>

#include <random>

namespace muster::execution {
namespace {

constexpr auto kHead = static_cast<size_t>(RetainedOutput::kHeadBytes);
constexpr auto kTail = static_cast<size_t>(RetainedOutput::kTailBytes);

std::string Bytes(size_t count, uint32_t seed = 1) {
  std::minstd_rand random(seed);
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

std::string RawDigest(const std::string& bytes) {
  const Digest digest = Sha256::Of(bytes);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

TEST(StreamBuffer, AnEmptyStreamHasNoDigest) {
  StreamBuffer buffer;
  const RetainedOutput output = buffer.Take();
  EXPECT_EQ(output.total_bytes, 0);
  EXPECT_EQ(output.sha256, "");
  EXPECT_EQ(output.omitted_bytes(), 0);
}

TEST(StreamBuffer, WhatFitsIntoTheHeadHasNoTail) {
  StreamBuffer buffer;
  buffer.Append("hello ");
  buffer.Append("world");
  int64_t start = -1;
  EXPECT_EQ(buffer.Read(6, 100, &start), "world");
  EXPECT_EQ(start, 6);
  const RetainedOutput output = buffer.Take();
  EXPECT_EQ(output.head, "hello world");
  EXPECT_EQ(output.tail, "");
  EXPECT_EQ(output.sha256, RawDigest("hello world"));
}

// Every length near a border, written in pieces of every size.
TEST(StreamBuffer, KeepsHeadAndTailWhateverThePieces) {
  for (const size_t total : {kHead, kHead + 1, kHead + kTail - 1, kHead + kTail, kHead + kTail + 1,
                             kHead + 3 * kTail + 17}) {
    for (const size_t piece : {size_t{1} << 12, size_t{65536}, size_t{100'003}, 2 * kTail + 5}) {
      const std::string bytes = Bytes(total);
      StreamBuffer buffer;
      for (size_t at = 0; at < total; at += piece) buffer.Append(std::string_view(bytes).substr(at, piece));
      const RetainedOutput output = buffer.Take();
      ASSERT_EQ(output.head, bytes.substr(0, kHead));
      const size_t tail = std::min(kTail, total - kHead);
      ASSERT_TRUE(output.tail == bytes.substr(total - tail)) << total << " in " << piece;
      ASSERT_EQ(output.total_bytes, static_cast<int64_t>(total));
      if (tail > 0) {
        ASSERT_EQ(output.tail_offset, static_cast<int64_t>(total - tail));
      }
      ASSERT_EQ(output.omitted_bytes(), static_cast<int64_t>(total - std::min(total, kHead + kTail)));
      ASSERT_EQ(output.sha256, RawDigest(bytes));
    }
  }
}

TEST(StreamBuffer, ReadSkipsTheGapAndSaysSo) {
  const std::string bytes = Bytes(kHead + 2 * kTail);
  StreamBuffer buffer;
  buffer.Append(bytes);
  int64_t start = -1;
  EXPECT_TRUE(buffer.Read(10, 100, &start) == bytes.substr(10, 100));
  EXPECT_EQ(start, 10);
  // The head ends before the limit: the gap is not glued over.
  EXPECT_EQ(buffer.Read(static_cast<int64_t>(kHead) - 5, 100, &start).size(), 5u);
  EXPECT_TRUE(buffer.Read(static_cast<int64_t>(kHead) + 1, 100, &start) == bytes.substr(bytes.size() - kTail, 100));
  EXPECT_EQ(start, static_cast<int64_t>(bytes.size() - kTail));
  EXPECT_EQ(buffer.Read(static_cast<int64_t>(bytes.size()), 100, &start), "");
  EXPECT_EQ(buffer.Read(static_cast<int64_t>(bytes.size()) + 999, 100, &start), "");
}

TEST(StreamBuffer, ReadsAcrossTheWrapOfTheRing) {
  const std::string bytes = Bytes(kHead + kTail + kTail / 2);
  StreamBuffer buffer;
  for (size_t at = 0; at < bytes.size(); at += 70'001) buffer.Append(std::string_view(bytes).substr(at, 70'001));
  std::string all;
  int64_t offset = static_cast<int64_t>(bytes.size() - kTail), start = 0;
  while (offset < buffer.total_bytes()) {
    const std::string part = buffer.Read(offset, 65'536, &start);
    ASSERT_EQ(start, offset);
    ASSERT_FALSE(part.empty());
    all += part;
    offset += static_cast<int64_t>(part.size());
  }
  EXPECT_TRUE(all == bytes.substr(bytes.size() - kTail));
}

}  // namespace
}  // namespace muster::execution
