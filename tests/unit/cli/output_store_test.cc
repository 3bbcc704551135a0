#include "cli/output_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::OutputChunk Chunk(const std::string& task, const std::string& data, v1::OutputStream stream = v1::OUTPUT_STREAM_STDOUT, uint32_t attempt = 1) {
  v1::OutputChunk chunk;
  chunk.set_task_id(task);
  chunk.set_attempt(attempt);
  chunk.set_stream(stream);
  chunk.set_data(data);
  return chunk;
}

std::string TakeAll(OutputStore& store, const std::string& task) {
  std::string all;
  store.Take(task, [&](v1::OutputStream stream, std::string_view bytes) {
    all += (stream == v1::OUTPUT_STREAM_STDERR ? "E:" : "O:") + std::string(bytes) + ";";
    return true;
  });
  return all;
}

TEST(OutputStore, TasksAreKeptApartAndStdoutComesFirst) {
  OutputStore store(1000);
  ASSERT_TRUE(store.Add(Chunk("1", "oops", v1::OUTPUT_STREAM_STDERR)).ok());
  ASSERT_TRUE(store.Add(Chunk("2", "other")).ok());
  ASSERT_TRUE(store.Add(Chunk("1", "a")).ok());
  ASSERT_TRUE(store.Add(Chunk("1", "b")).ok());
  EXPECT_EQ(TakeAll(store, "1"), "O:ab;E:oops;");
  EXPECT_EQ(TakeAll(store, "1"), "") << "taken once";
  EXPECT_EQ(TakeAll(store, "2"), "O:other;");
  EXPECT_EQ(store.memory_bytes(), 0u);
}

TEST(OutputStore, WhatDoesNotFitGoesToAFileAndComesBackInOrder) {
  OutputStore store(10);
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string piece = "piece" + std::to_string(i) + ",";
    expected += piece;
    ASSERT_TRUE(store.Add(Chunk("1", piece)).ok());
    EXPECT_LE(store.memory_bytes(), 10u);
  }
  EXPECT_GT(store.spilled_bytes(), 0);
  std::string all;
  EXPECT_TRUE(store.Take("1", [&](v1::OutputStream, std::string_view bytes) {
    all += bytes;
    return true;
  }));
  EXPECT_EQ(all, expected);
  EXPECT_EQ(store.spilled_bytes(), 0);
}

TEST(OutputStore, ANewAttemptDropsWhatTheOldOneWrote) {
  OutputStore store(4);
  ASSERT_TRUE(store.Add(Chunk("1", "first try", v1::OUTPUT_STREAM_STDOUT, 1)).ok());
  ASSERT_TRUE(store.Add(Chunk("1", "ok", v1::OUTPUT_STREAM_STDOUT, 2)).ok());
  ASSERT_TRUE(store.Add(Chunk("1", "late", v1::OUTPUT_STREAM_STDOUT, 1)).ok());
  EXPECT_EQ(store.spilled_bytes(), 0);
  EXPECT_EQ(TakeAll(store, "1"), "O:ok;");
}

TEST(OutputStore, DroppedOutputFreesItsRoom) {
  OutputStore store(1000);
  ASSERT_TRUE(store.Add(Chunk("1", "abc")).ok());
  store.Drop("1");
  store.Drop("never heard of");
  EXPECT_EQ(store.memory_bytes(), 0u);
}

TEST(LineTagger, EachLineIsTaggedHoweverItIsCut) {
  LineTagger tagger("x y");
  EXPECT_EQ(tagger.Tag("one\ntw"), "x y\tone\nx y\ttw");
  EXPECT_EQ(tagger.Tag("o\n"), "o\n");
  EXPECT_EQ(tagger.Tag("\n"), "x y\t\n");
}

TEST(InputOrder, NothingIsReadyBeforeWhatComesFirst) {
  InputOrder order;
  EXPECT_THAT(order.Ready(3), IsEmpty());
  EXPECT_THAT(order.Ready(2), IsEmpty());
  EXPECT_THAT(order.Ready(1), ElementsAre(1, 2, 3));
  EXPECT_THAT(order.Ready(4), ElementsAre(4));
}

TEST(InputOrder, ManyTasksEndBackwards) {
  InputOrder order;
  for (int64_t i = 20000; i > 1; --i) EXPECT_TRUE(order.Ready(i).empty());
  EXPECT_EQ(order.Ready(1).size(), 20000u);
  for (int64_t i = 20001; i < 30000; ++i) EXPECT_THAT(order.Ready(i), ElementsAre(i));
}

}  // namespace
}  // namespace muster::cli
