// Room kept back: let go at the low-water mark, made again when there is room.
#include "master/store/ballast.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <memory>

#include "faulty_disk.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

class BallastTest : public testing::Test {
 protected:
  BallastTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "muster-ballast-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~BallastTest() override { std::filesystem::remove_all(directory_); }

  void Open() {
    ballast_.reset();
    ballast_ = std::make_unique<Ballast>(Ballast::Config{.directory = directory_,
                                                         .bytes = 4 * kMiB,
                                                         .low_water_bytes = 8 * kMiB,
                                                         .free_bytes = [this] { return free_; }});
  }
  void Look(int64_t free) {
    free_ = free;
    ballast_->Look();
  }
  int64_t BlocksInFile() const {
    struct stat file;
    return stat((directory_ + "/ballast").c_str(), &file) == 0 ? int64_t{file.st_blocks} * 512 : -1;
  }

  std::string directory_;
  int64_t free_ = 1000 * kMiB;
  std::unique_ptr<Ballast> ballast_;
};

TEST_F(BallastTest, ItHoldsRealBlocksWhileThereIsRoom) {
  Open();
  EXPECT_FALSE(ballast_->low());
  EXPECT_EQ(ballast_->Shortage(), "");
  EXPECT_GE(BlocksInFile(), 4 * kMiB);
}

TEST_F(BallastTest, ItIsLetGoAtTheLowWaterMarkAndComesBackWithRoomForBoth) {
  Open();
  Look(8 * kMiB);
  EXPECT_FALSE(ballast_->low());
  Look(8 * kMiB - 1);
  EXPECT_TRUE(ballast_->low());
  EXPECT_EQ(BlocksInFile(), 0);
  EXPECT_THAT(ballast_->Shortage(), testing::HasSubstr("7 MiB are free in " + directory_));
  Look(13 * kMiB);  // enough for the mark, but the ballast would take it below again
  EXPECT_TRUE(ballast_->low());
  Look(14 * kMiB);
  EXPECT_FALSE(ballast_->low());
  EXPECT_TRUE(ballast_->held());
  EXPECT_GE(BlocksInFile(), 4 * kMiB);
}

TEST_F(BallastTest, AWriteThatFoundNoRoomGetsItOnce) {
  Open();
  EXPECT_TRUE(ballast_->LetGo());
  EXPECT_FALSE(ballast_->LetGo());
  EXPECT_TRUE(ballast_->low());
  EXPECT_EQ(BlocksInFile(), 0);
}

TEST_F(BallastTest, AStartWithoutRoomForItRefusesNewWorkAtOnce) {
  free_ = 13 * kMiB;
  Open();
  EXPECT_TRUE(ballast_->low());
  Look(15 * kMiB);
  EXPECT_FALSE(ballast_->low());
}

TEST_F(BallastTest, OneThatIsThereAlreadyNeedsNoMoreRoom) {
  Open();
  free_ = 9 * kMiB;
  Open();
  EXPECT_TRUE(ballast_->held());
  EXPECT_FALSE(ballast_->low());
}

class FullDiskStoreTest : public StoreTest {};

TEST_F(FullDiskStoreTest, ACommitThatFindsNoRoomTakesTheBallasts) {
  FaultyDisk disk;
  config_.ballast_bytes = kMiB;
  Reopen();
  EXPECT_FALSE(store_->LowOnRoom());
  EXPECT_TRUE(store_->stats().ballast_held);
  EXPECT_GT(store_->stats().free_bytes, 0);
  disk.SetFullWhileHeld(config_.directory + "/ballast");
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  EXPECT_EQ(Commit(transaction), CommitNumber(1));
  EXPECT_EQ(store_->stats().refused_commits, 0u);
  EXPECT_TRUE(store_->FindTask(TaskId(1))->has_value());
}

}  // namespace
}  // namespace muster::store
