#include "common/domain/batch_arguments.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

using Words = std::vector<std::string>;

TEST(BatchArguments, AnArgumentIsAppendedWhenThereIsNoPlaceForIt) {
  EXPECT_EQ(FillArguments({"echo", "x"}, {"a b"}, 1), (Words{"echo", "x", "a b"}));
}

TEST(BatchArguments, EachFormOfAPath) {
  EXPECT_EQ(FillArguments({"{}", "{.}", "{/}", "{//}", "{/.}", "{#}"}, {"dir/sub/f.tar.gz"}, 7),
            (Words{"dir/sub/f.tar.gz", "dir/sub/f.tar", "f.tar.gz", "dir/sub", "f.tar", "7"}));
}

TEST(BatchArguments, APathWithoutDirectoryOrExtension) {
  EXPECT_EQ(FillArguments({"{.}", "{//}", "{/.}"}, {"plain"}, 1), (Words{"plain", ".", "plain"}));
  EXPECT_EQ(FillArguments({"{.}"}, {"d.ir/file"}, 1), (Words{"d.ir/file"}));
  EXPECT_EQ(FillArguments({"{.}"}, {".hidden"}, 1), (Words{".hidden"}));
}

TEST(BatchArguments, SeveralSourcesByNumberAndTogether) {
  EXPECT_EQ(FillArguments({"{2}-{1}", "{}", "{2.}"}, {"a", "b.c"}, 1), (Words{"b.c-a", "a b.c", "b"}));
}

TEST(BatchArguments, ASourceThatIsNotThereIsEmpty) { EXPECT_EQ(FillArguments({"<{3}>"}, {"a"}, 1), (Words{"<>"})); }

TEST(BatchArguments, TheHighestPlaceIsThatOfTheSourcesByNumber) {
  EXPECT_EQ(HighestPlace({"{}", "{#}", "{.}", "awk {print $9}", "{0}"}), 0u);
  EXPECT_EQ(HighestPlace({"x{1}y{3/.}", "{2}"}), 3u);
}

TEST(BatchArguments, ATextWithoutPlacesIsFilledInToItself) {
  for (const char* text : {"{}", "${1}", "{{2.}}", "{ {} }", "a{", "{{", "{/.}{#}", "plain"}) {
    EXPECT_EQ(FillText(WithoutPlaces(text), {"a", "b"}, 7, FillFor::kShell), text);
  }
}

TEST(BatchArguments, BracesThatMeanSomethingElseStay) {
  EXPECT_EQ(FillArguments({"awk", "{print $1}", "{}"}, {"x"}, 1), (Words{"awk", "{print $1}", "x"}));
  EXPECT_EQ(FillArguments({"{ {} }", "{0}", "{"}, {"x"}, 1), (Words{"{ x }", "{0}", "{"}));
}

TEST(BatchArguments, AValueThatLooksLikeAPlaceholderIsNotFilledAgain) {
  EXPECT_EQ(FillArguments({"{1}{2}"}, {"{2}", "x"}, 1), (Words{"{2}x"}));
}

TEST(BatchArguments, AValueInALineForAShellIsNeverReadAsItsWords) {
  EXPECT_EQ(FillArguments({"echo", "{}"}, {"a; rm -rf 'x' $HOME"}, 1, FillFor::kShell),
            (Words{"echo", R"('a; rm -rf '\''x'\'' $HOME')"}));
  EXPECT_EQ(FillArguments({"ls"}, {"a b"}, 1, FillFor::kShell), (Words{"ls", "'a b'"}));
  EXPECT_EQ(FillArguments({"{.}.out {#}"}, {"d/x.c"}, 3, FillFor::kShell), (Words{"'d/x'.out 3"}));
}

TEST(BatchArguments, TextIsNeverAppendedTo) { EXPECT_EQ(FillText("fixed", {"x"}, 1), "fixed"); }

TEST(BatchArguments, TextForTheShellHasItsValuesQuoted) {
  EXPECT_EQ(FillText("test -s {}", {"a; rm b"}, 1, FillFor::kShell), FillArguments({"test", "-s", "{}"}, {"a; rm b"}, 1, FillFor::kShell)[0] + " -s " +
                                                                          FillArguments({"{}"}, {"a; rm b"}, 1, FillFor::kShell)[0]);
}

}  // namespace
}  // namespace muster
