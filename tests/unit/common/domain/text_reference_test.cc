#include "common/domain/text_reference.h"

#include <string>

#include <gtest/gtest.h>

namespace muster {
namespace {

// "before|name|between|...|rest".
std::string Apart(std::string_view text) {
  std::string all;
  while (true) {
    std::string before;
    const auto reference = NextReference(&text, &before);
    all += before;
    if (!reference) return all;
    all += "|" + std::string(reference->name) + "|";
  }
}

TEST(TextReference, NamesStandInTwoBracesWithOrWithoutSpaces) {
  EXPECT_EQ(Apart("a {{ city }} b {{year}}{{ matrix.x }}"), "a |city| b |year||matrix.x|");
  EXPECT_EQ(Apart("{{\tfetch-all.v_1  }}."), "|fetch-all.v_1|.");
}

TEST(TextReference, WhatIsNoNameStaysAsItIs) {
  for (const char* text : {"{{}}", "{{ }}", "{{.Names}}", "{{ a b }}", "{{ a }", "{{ -a }}", "{ a }", "{{1}}", "{{ 23 }}", "}} {{", "{{a}x}", "a\\b"}) {
    EXPECT_EQ(Apart(text), text);
  }
}

TEST(TextReference, TheInnermostBracesCount) { EXPECT_EQ(Apart("{{{ a }}} {{{{b}}}}"), "{|a|} {{|b|}}"); }

TEST(TextReference, ABackslashKeepsTheBraces) {
  EXPECT_EQ(Apart("\\{{ a }} {{ b }} \\{{c}}"), "{{ a }} |b| {{c}}");
  EXPECT_EQ(Apart("\\\\{{ a }}"), "\\{{ a }}");
}

TEST(TextReference, AnEndlessNameIsNone) { EXPECT_EQ(Apart("{{" + std::string(1000, 'a') + "}}"), "{{" + std::string(1000, 'a') + "}}"); }

TEST(TextReference, ItSaysWhereTheBracesAre) {
  std::string_view text = "ab{{ c }}d{{e}}";
  std::string before;
  EXPECT_EQ(NextReference(&text, &before)->at, 2u);
  EXPECT_EQ(NextReference(&text, &before)->at, 1u);
  EXPECT_EQ(before, "abd");
}

}  // namespace
}  // namespace muster
