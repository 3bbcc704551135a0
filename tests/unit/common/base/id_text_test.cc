#include "common/base/id_text.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace muster {
namespace {

TEST(IdText, RoundTripsEverySizeOfNumber) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{31}, uint64_t{32}, uint64_t{123456789},
                               std::numeric_limits<uint64_t>::max()}) {
    EXPECT_EQ(TextToId(IdToText(value)), value);
  }
}

TEST(IdText, LettersThatLookAlikeReadAlike) {
  EXPECT_EQ(TextToId("1O"), TextToId("10"));
  EXPECT_EQ(TextToId("il"), TextToId("11"));
  EXPECT_EQ(TextToId("abz"), TextToId("ABZ"));
}

TEST(IdText, WordsThatAreNoIdAreRefused) {
  for (const char* text : {"", "U", "a-b", "a b", "build_1", "ZZZZZZZZZZZZZZ", "G000000000000"}) {
    EXPECT_FALSE(TextToId(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace muster
