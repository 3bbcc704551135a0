#include "common/domain/named_value.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

TEST(NamedValue, ANameIsOneOfAShellsVariables) {
  for (const char* name : {"version", "_", "A1", "a_b_C"}) EXPECT_TRUE(IsOutputName(name)) << name;
  for (const char* name : {"", "1a", "a-b", "a b", "a.b", "ä", "a=", "a\n"}) EXPECT_FALSE(IsOutputName(name)) << name;
  EXPECT_TRUE(IsOutputName(std::string(kLongestOutputName, 'n')));
  EXPECT_FALSE(IsOutputName(std::string(kLongestOutputName + 1, 'n')));
}

TEST(NamedValue, AValueIsALineOfTextThatIsNotTooLong) {
  for (const char* value : {"", "1.4", "a=b", "tab\there", "日本"}) EXPECT_TRUE(IsOutputValue(value)) << value;
  EXPECT_TRUE(IsOutputValue(std::string(kMostOutputBytes, 'v')));
  EXPECT_FALSE(IsOutputValue(std::string(kMostOutputBytes + 1, 'v')));
  EXPECT_FALSE(IsOutputValue("two\nlines"));
  EXPECT_FALSE(IsOutputValue(std::string_view("nul\0", 4)));
  EXPECT_FALSE(IsOutputValue("caf\xe9"));
}

TEST(NamedValue, BytesAreThoseOfNamesAndValues) {
  EXPECT_EQ(BytesOf({}), 0u);
  EXPECT_EQ(BytesOf({{"ab", "cde"}, {"f", ""}}), 6u);
}

}  // namespace
}  // namespace muster
