#include "common/base/digest.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace muster {
namespace {

TEST(Digest, Sha256OfAKnownText) {
  EXPECT_EQ(DigestToHex(Sha256::Of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, StepByStepIsTheSameAsWhole) {
  Sha256 sha;
  sha.Update("a");
  sha.Update("");
  sha.Update("bc");
  EXPECT_EQ(sha.Finish(), Sha256::Of("abc"));
}

TEST(Digest, CrcOfTwoPartsIsTheCrcOfTheWhole) { EXPECT_EQ(Crc32("def", Crc32("abc")), Crc32("abcdef")); }

TEST(Digest, OneFlippedBitChangesTheCrc) { EXPECT_NE(Crc32("abc"), Crc32("abb")); }

uint64_t QuickHashOf(std::initializer_list<const char*> texts) {
  QuickHash hash;
  for (const char* text : texts) hash.Update(text);
  return hash.value();
}

TEST(Digest, AQuickHashTellsWhereOneTextEnds) {
  EXPECT_EQ(QuickHashOf({"ab", "c"}), QuickHashOf({"ab", "c"}));
  EXPECT_NE(QuickHashOf({"ab", "c"}), QuickHashOf({"a", "bc"}));
  EXPECT_NE(QuickHashOf({"abc"}), QuickHashOf({"abc", ""}));
  EXPECT_NE(QuickHashOf({"12345678"}), QuickHashOf({"12345679"}));
}

}  // namespace
}  // namespace muster
