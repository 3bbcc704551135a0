// The packed columns, with bytes that nobody should have written.
#include "master/store/packing.h"

#include <gtest/gtest.h>

#include <random>

#include "master/store/activity_packing.h"
#include "master/store/report_packing.h"

namespace muster::store {
namespace {

TEST(PackingTest, NumbersOfEverySizeComeBack) {
  std::string bytes;
  Packer packer(&bytes);
  const std::vector<int64_t> numbers = {0, 1, -1, 63, -64, 64, 300, -70'000, std::numeric_limits<int64_t>::max(),
                                        std::numeric_limits<int64_t>::min()};
  for (const int64_t number : numbers) packer(number);
  Unpacker unpacker(bytes);
  for (const int64_t number : numbers) EXPECT_EQ(unpacker.Signed(), number);
  EXPECT_TRUE(unpacker.ok());
  EXPECT_TRUE(unpacker.done());
}

TEST(PackingTest, InfiniteTimesComeBack) {
  std::string bytes;
  Packer packer(&bytes);
  packer(absl::InfinitePast());
  packer(absl::InfiniteFuture());
  packer(absl::FromUnixNanos(-5));
  absl::Time past, future, before;
  Unpacker unpacker(bytes);
  unpacker(past);
  unpacker(future);
  unpacker(before);
  EXPECT_EQ(past, absl::InfinitePast());
  EXPECT_EQ(future, absl::InfiniteFuture());
  EXPECT_EQ(before, absl::FromUnixNanos(-5));
}

TEST(PackingTest, AStringThatClaimsMoreThanThereIsIsAnError) {
  Unpacker unpacker(std::string_view("\xff\xff\xff\xff\x0f" "abc", 8));
  EXPECT_EQ(unpacker.Bytes(), "");
  EXPECT_FALSE(unpacker.ok());
}

TEST(PackingTest, ANumberThatNeverEndsIsAnError) {
  const std::string bytes(20, '\xff');
  Unpacker unpacker(bytes);
  unpacker.Unsigned();
  EXPECT_FALSE(unpacker.ok());
}

TEST(PackingTest, AReportOfAnOlderVersionLeavesNewerFieldsAsTheyAre) {
  AttemptReport report;
  report.end.reason = EndReason::kSignaled;
  report.end.signal = 9;
  std::string bytes;
  PackReport(report, &bytes);
  const auto shorter = UnpackReport(std::string_view(bytes).substr(0, 3), {});
  ASSERT_NE(shorter, nullptr);
  EXPECT_EQ(shorter->end.signal, 9);
  EXPECT_EQ(shorter->end.message, "");
}

AttemptReport ReportWith(NamedValues outputs) {
  AttemptReport report;
  report.end.reason = EndReason::kExited;
  report.end.message = "in words";
  report.started = true;
  report.stderr_output.total_bytes = 7;
  report.stderr_output.sha256 = std::string(32, 'x');
  report.outputs = std::move(outputs);
  return report;
}

std::string Packed(const AttemptReport& report) {
  std::string bytes;
  PackReport(report, &bytes);
  return bytes;
}

TEST(PackingTest, AReportWithoutOutputsIsWhatItWasBeforeThereWereAny) {
  // As the version before wrote it.
  constexpr char kBefore[] = "\x01\x00\x00\x00\x08in words\x00\x00\x00\x00\x00\x00"
                             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x01\x00" "\x00\x00\x00"
                             "\x0e\x00\x20xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
  const std::string before(kBefore, sizeof(kBefore) - 1);
  EXPECT_EQ(Packed(ReportWith({})), before);
  const auto read = UnpackReport(before, {});
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->end.message, "in words");
  EXPECT_TRUE(read->started);
  EXPECT_EQ(read->stderr_output.sha256, std::string(32, 'x'));
  EXPECT_TRUE(read->outputs.empty());
}

TEST(PackingTest, OutputsComeBack) {
  const NamedValues outputs = {{"version", "1.4"}, {"empty", ""}, {"long", std::string(4096, 'v')}};
  const auto read = UnpackReport(Packed(ReportWith(outputs)), {});
  ASSERT_NE(read, nullptr);
  EXPECT_EQ(read->outputs, outputs);
}

TEST(PackingTest, OutputsThatAreCutOrClaimTooManyAreNoReport) {
  const size_t before = Packed(ReportWith({})).size();
  const std::string bytes = Packed(ReportWith({{"version", "1.4"}}));
  for (size_t size = before + 1; size < bytes.size(); ++size) {
    EXPECT_EQ(UnpackReport(std::string_view(bytes).substr(0, size), {}), nullptr) << size;
  }
  EXPECT_EQ(UnpackReport(Packed(ReportWith({})) + "\xff\xff\xff\xff\xff\xff\xff\x7f", {}), nullptr);
}

TEST(PackingTest, RowsThatAreTooFewOrTooManyAreRefused) {
  std::string bytes;
  PackArgumentRows({{"a"}, {"b", "c"}}, &bytes);
  EXPECT_NE(UnpackArgumentRows(bytes, 2), nullptr);
  EXPECT_EQ((*UnpackArgumentRows(bytes, 2))[1][1], "c");
  EXPECT_EQ(UnpackArgumentRows(bytes, 1), nullptr);
  EXPECT_EQ(UnpackArgumentRows(bytes, 3), nullptr);
  EXPECT_EQ(UnpackArgumentRows(bytes, size_t{1} << 60), nullptr);
}

TEST(PackingTest, ARecordOfAnUnknownKindIsLeftOut) {
  std::string bytes;
  PackActivity({{absl::FromUnixSeconds(1), activity::MasterStopped{"a"}}}, &bytes);
  bytes += std::string("\x03\x7f\x00\x00", 4);
  PackActivity({{absl::FromUnixSeconds(1), activity::MasterStopped{"b"}}}, &bytes);
  const auto records = UnpackActivity(bytes);
  ASSERT_TRUE(records.has_value());
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ(std::get<activity::MasterStopped>((*records)[1].event).reason, "b");
}

TEST(PackingTest, RandomBytesNeverCrash) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    (void)UnpackReport(bytes, {});
    (void)UnpackActivity(bytes);
    (void)UnpackRanges(bytes);
    (void)UnpackArgumentRows(bytes, random() % 50);
  }
}

}  // namespace
}  // namespace muster::store
