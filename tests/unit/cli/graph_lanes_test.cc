#include "cli/graph_lanes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_join.h"
#include "cli/output.h"

namespace muster::cli {
namespace {

using Needs = std::vector<std::vector<uint32_t>>;

std::string DrawingOf(const Needs& needs) {
  const auto lanes = DrawLanes(needs);
  return lanes ? absl::StrJoin(*lanes, "\n") : "too wide";
}

TEST(GraphLanes, AChainIsOneLane) { EXPECT_EQ(DrawingOf({{}, {0}, {1}}), "○ \n● \n● "); }

TEST(GraphLanes, ADiamondOpensAndCloses) {
  EXPECT_EQ(DrawingOf({{}, {0}, {0}, {1, 2}}),
            "○   \n"
            "├─● \n"
            "● │ \n"
            "●─┘ ");
}

TEST(GraphLanes, ALaneThatHasNoPartInALinePassesBehindIt) {
  EXPECT_EQ(DrawingOf({{}, {}, {0}, {0, 1}, {2, 3}}),
            "○     \n"
            "│ ○   \n"
            "├─│─● \n"
            "●─┘ │ \n"
            "●───┘ ");
}

// The first is an end, and what comes below it needs something else.
TEST(GraphLanes, WhatStandsBelowANodeThatItDoesNotNeedIsSetAside) {
  EXPECT_EQ(DrawingOf({{}, {0}, {0}, {}}),
            "○   \n"
            "├─● \n"
            "●   \n"
            "○   ");
  EXPECT_EQ(DrawingOf({{}, {0}, {0}, {0}}),
            "○     \n"
            "├─●   \n"
            "├───● \n"
            "●     ");
}

TEST(GraphLanes, MoreSideBySideThanAPersonFollowsAreNotDrawn) {
  Needs needs(kMostLanes + 1);
  EXPECT_EQ(DrawingOf(needs).substr(0, 3), "○");
  needs.push_back({});
  for (uint32_t i = 0; i <= kMostLanes; ++i) needs.back().push_back(i);
  EXPECT_EQ(DrawingOf(needs), "too wide");
}

std::vector<std::string> CharactersOf(const std::string& text) {
  std::vector<std::string> characters;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) == 0x80) {
      characters.back() += c;
    } else {
      characters.push_back(std::string(1, c));
    }
  }
  return characters;
}

// What a person reads from it: who is joined to whom. Lanes are followed by their signs alone.
Needs ReadDrawing(const std::vector<std::string>& drawing) {
  Needs needs;
  std::map<size_t, uint32_t> lanes;  // by column
  for (uint32_t line = 0; line < drawing.size(); ++line) {
    const std::vector<std::string> signs = CharactersOf(drawing[line]);
    std::vector<uint32_t>& of_one = needs.emplace_back();
    size_t own = 0;
    for (size_t column = 0; column < signs.size(); ++column) {
      const std::string& sign = signs[column];
      const auto lane = lanes.find(column);
      if (sign == "●" && lane != lanes.end()) of_one.push_back(lane->second);
      if (std::set<std::string>{"├", "└", "┤", "┘", "┴", "┼"}.count(sign) > 0) of_one.push_back(lanes.at(column));
      if (sign == "●" || sign == "○") own = column;
      if (std::set<std::string>{"│", "├", "┤", "┼"}.count(sign) == 0) lanes.erase(column);
    }
    lanes[own] = line;
    std::sort(of_one.begin(), of_one.end());
  }
  return needs;
}

TEST(GraphLanes, ARandomGraphIsReadBackFromItsDrawing) {
  std::mt19937_64 random(9);
  int drawn = 0;
  for (int round = 0; round < 3000; ++round) {
    Needs needs(1 + random() % 15);
    for (uint32_t line = 0; line < needs.size(); ++line) {
      for (uint32_t above = 0; above < line; ++above) {
        if (random() % 4 == 0) needs[line].push_back(above);
      }
    }
    const auto lanes = DrawLanes(needs);
    if (!lanes) continue;
    ++drawn;
    ASSERT_EQ(ReadDrawing(*lanes), needs) << DrawingOf(needs);
    for (const std::string& text : *lanes) ASSERT_EQ(DisplayWidth(text), DisplayWidth(lanes->front())) << DrawingOf(needs);
  }
  EXPECT_GT(drawn, 1000);
}

}  // namespace
}  // namespace muster::cli
