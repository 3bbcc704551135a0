#include "master/request_handler/conflation.h"

#include <gtest/gtest.h>

namespace muster::handler {
namespace {

TaskNote Note(uint64_t id, TaskState state) {
  TaskNote note;
  note.id = TaskId(id);
  note.state = state;
  return note;
}

TEST(Conflation, OfEachTaskOnlyTheNewestIsLeft) {
  Conflation changes(10);
  EXPECT_TRUE(changes.Add(Note(1, TaskState::kQueued), 1));
  EXPECT_TRUE(changes.Add(Note(2, TaskState::kQueued), 2));
  EXPECT_TRUE(changes.Add(Note(1, TaskState::kRunning), 3));
  auto next = changes.Next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->id, TaskId(1));
  EXPECT_EQ(next->state, TaskState::kRunning);
  EXPECT_EQ(changes.Next()->id, TaskId(2));
  EXPECT_FALSE(changes.Next());
}

TEST(Conflation, AnEndIsNeverReplaced) {
  Conflation changes(10);
  changes.Add(Note(1, TaskState::kSucceeded), 5);
  changes.Add(Note(1, TaskState::kRunning), 6);
  EXPECT_EQ(changes.Next()->state, TaskState::kSucceeded);
}

TEST(Conflation, ASlowWatcherIsToldToBeginAnewAndNotGivenAHole) {
  Conflation changes(2);
  EXPECT_TRUE(changes.Add(Note(1, TaskState::kQueued), 1));
  EXPECT_TRUE(changes.Add(Note(2, TaskState::kQueued), 1));
  EXPECT_FALSE(changes.Add(Note(3, TaskState::kQueued), 1));
  EXPECT_TRUE(changes.Add(Note(2, TaskState::kRunning), 2)) << "a task that waits already takes no more room";
}

TEST(Conflation, WhatThePageOfTheSnapshotShowedIsNotToldAgain) {
  Conflation changes(10);
  changes.Add(Note(1, TaskState::kQueued), 4);
  changes.Add(Note(2, TaskState::kRunning), 6);
  changes.ShownIn(TaskId(1), 5);
  changes.ShownIn(TaskId(2), 5);
  EXPECT_EQ(changes.Next()->id, TaskId(2)) << "newer than the page";
  EXPECT_FALSE(changes.Next());
}

TEST(Conflation, ATaskThatComesAndGoesForeverDoesNotFillIt) {
  Conflation changes(4);
  for (uint64_t turn = 0; turn < 100; ++turn) {
    ASSERT_TRUE(changes.Add(Note(1, TaskState::kQueued), turn));
    ASSERT_TRUE(changes.Next());
  }
  EXPECT_TRUE(changes.empty());
}

}  // namespace
}  // namespace muster::handler
