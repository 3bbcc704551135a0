#include "common/base/digest.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace muster
