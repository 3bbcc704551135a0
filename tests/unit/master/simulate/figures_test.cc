#include "master/simulate/figures.h"

#include <gtest/gtest.h>

namespace muster::simulate {
namespace {

Trace TwoKinds() {
  Trace trace;
  trace.kinds = {{"default", "ann"}, {"default", "bob"}, {"default", "nobody"}};
  trace.jobs = {{{}, absl::Seconds(10), 1, 0}, {{}, absl::Seconds(10), 2, 0}, {{}, absl::Seconds(10), 1, 1}, {{}, absl::Seconds(9), 9, 1}};
  return trace;
}

TEST(FiguresTest, AreThoseOfWhatRan) {
  const Outcome outcome = {{absl::ZeroDuration(), absl::Seconds(10), absl::Seconds(20), Outcome::kNever}, absl::Seconds(40)};
  const Figures figures = FiguresOf(TwoKinds(), {2, 2}, outcome);
  EXPECT_EQ(figures.jobs, 3u);
  EXPECT_EQ(figures.too_wide, 1u);
  EXPECT_DOUBLE_EQ(figures.wait.mean, 10);
  EXPECT_DOUBLE_EQ(figures.wait.p50, 10);
  EXPECT_DOUBLE_EQ(figures.wait.p90, 20);
  EXPECT_DOUBLE_EQ(figures.wait.most, 20);
  EXPECT_DOUBLE_EQ(figures.slowdown.mean, 2) << "1, 2 and 3";
  EXPECT_DOUBLE_EQ(figures.utilisation, 40.0 / 160);
  EXPECT_DOUBLE_EQ(figures.fairness, 4.5 * 4.5 / (2 * (1.5 * 1.5 + 9))) << "means of 1.5 and 3";
}

TEST(FiguresTest, WhatNeverStartedIsNotCalledTooWideWhenItIsNot) {
  const Outcome outcome = {{absl::ZeroDuration(), Outcome::kNever, Outcome::kNever, Outcome::kNever}, absl::Seconds(40)};
  const Figures figures = FiguresOf(TwoKinds(), {1, 2}, outcome);
  EXPECT_EQ(figures.jobs, 1u);
  EXPECT_EQ(figures.too_wide, 1u) << "nine slots";
  EXPECT_EQ(figures.not_started, 2u) << "two slots, and one";
}

TEST(FiguresTest, AShortTaskDoesNotMakeEveryWaitAHundredfold) {
  Trace trace;
  trace.kinds = {{}};
  trace.jobs = {{{}, absl::Milliseconds(1)}};
  EXPECT_DOUBLE_EQ(FiguresOf(trace, {1}, {{absl::Seconds(2)}, absl::Seconds(3)}).slowdown.mean, 2.001);
}

TEST(FiguresTest, OfNothingAreNothing) {
  const Figures figures = FiguresOf({}, {}, {});
  EXPECT_EQ(figures.jobs, 0u);
  EXPECT_DOUBLE_EQ(figures.utilisation, 0);
  EXPECT_DOUBLE_EQ(figures.fairness, 1);
}

}  // namespace
}  // namespace muster::simulate
