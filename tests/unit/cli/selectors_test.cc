#include "cli/selectors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/errors.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;

class SelectorsTest : public testing::Test {
 protected:
  SelectorsTest() {
    std::string folder = testing::TempDir() + "/selectors-XXXXXX";
    path_ = std::string(mkdtemp(folder.data())) + "/deeper/last";
  }
  std::string path_;
};

TEST_F(SelectorsTest, LastIsTheNewestAndLastNGoesBack) {
  RecentTasks recent(path_, "m:1");
  recent.Remember({"A"});
  recent.Remember({"B", "C"});
  EXPECT_EQ(*recent.ResolveOne("last"), "C");
  EXPECT_EQ(*recent.ResolveOne("last-1"), "B");
  EXPECT_EQ(*recent.ResolveOne("last-2"), "A");
  EXPECT_EQ(recent.ResolveOne("last-3").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SelectorsTest, WhatIsRememberedLaterIsNotInASnapshot) {
  RecentTasks recent(path_, "m:1");
  recent.Remember({"A"});
  const RecentTasks before = recent.Snapshot();
  recent.Remember({"B"});
  EXPECT_EQ(*before.ResolveOne("last"), "A");
  EXPECT_EQ(*recent.ResolveOne("last"), "B");
}

TEST_F(SelectorsTest, ATaskOfTheLastBatchCanBeNamed) {
  RecentTasks recent(path_, "m:1");
  recent.Remember({"40"});
  EXPECT_EQ(*recent.ResolveOne("last/17"), "40/17");
}

TEST_F(SelectorsTest, EachMasterHasItsOwnLast) {
  RecentTasks(path_, "m:1").Remember({"A"});
  RecentTasks(path_, "m:2").Remember({"B"});
  EXPECT_EQ(*RecentTasks(path_, "m:1").ResolveOne("last"), "A");
  EXPECT_EQ(*RecentTasks(path_, "m:2").ResolveOne("last"), "B");
}

TEST_F(SelectorsTest, ListsAreSplitAtCommasAndRepetitionsDropped) {
  RecentTasks recent(path_, "m:1");
  recent.Remember({"A"});
  EXPECT_THAT(*recent.Resolve({"last,B", "B", "nightly-2.x", "A"}), ElementsAre("A", "B", "nightly-2.x"));
}

TEST_F(SelectorsTest, ANameThatOnlyBeginsWithLastIsAName) {
  RecentTasks recent(path_, "m:1");
  EXPECT_EQ(*recent.ResolveOne("last-minute"), "last-minute");
  EXPECT_EQ(*recent.ResolveOne("lasting"), "lasting");
}

TEST_F(SelectorsTest, AnEmptyWordIsWrongUsage) {
  EXPECT_EQ(ExitCodeOf(RecentTasks(path_, "m:1").Resolve({"A,,B"}).status()), kExitUsage);
}

TEST_F(SelectorsTest, NothingWasSubmittedYet) {
  const absl::Status status = RecentTasks(path_, "m:1").ResolveOne("last").status();
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("nothing was submitted to m:1 from here"));
}

TEST_F(SelectorsTest, TheFileStaysSmall) {
  RecentTasks recent(path_, "a-rather-long-host-name.example.com:7070");
  for (int i = 0; i < 3000; ++i) recent.Remember({"TASK" + std::to_string(i)});
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_LT(info.st_size, 70 << 10);
  EXPECT_EQ(*recent.ResolveOne("last"), "TASK2999");
  EXPECT_EQ(*recent.ResolveOne("last-100"), "TASK2899");
}

TEST_F(SelectorsTest, APlaceThatCannotBeWrittenStopsNothing) {
  RecentTasks recent("/proc/no/such/place", "m:1");
  recent.Remember({"A"});
  EXPECT_FALSE(recent.ResolveOne("last").ok());
}

}  // namespace
}  // namespace muster::cli
