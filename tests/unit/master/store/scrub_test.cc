// What went bad on the disk is found before somebody needs it.
#include "master/store/scrub.h"

#include <gmock/gmock.h>

#include "master/store/schema.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::HasSubstr;

class ScrubTest : public StoreTest {
 protected:
  ScrubTest() {
    Reopen();
    core::Transaction transaction;
    for (uint64_t id = 1; id <= 700; ++id) {
      transaction.specifications.push_back(SingleTask(id));
      transaction.attempts.push_back(Attempt(id, 1));
      transaction.activity.push_back({At(1), activity::AttemptDispatched{Key(id, 1), "w1"}});
    }
    Commit(transaction);
    transaction = {};
    for (uint64_t id = 1; id <= 600; ++id) {
      transaction.outcomes.push_back(Outcome(id, TaskState::kSucceeded, 1, Report(id, 1, "out")));
      transaction.activity.push_back(
          {At(4), activity::TaskEnded{Key(id, 1), TaskState::kSucceeded, EndReason::kExited, 0, ""}});
    }
    Commit(transaction);
  }

  // The rest of a round that the store's own thread may have begun before, a whole one, and some of the next.
  void Round() {
    const uint64_t enough = store_->stats().scrub_rounds + 2;
    for (int step = 0; step < 400 && store_->stats().scrub_rounds < enough; ++step) {
      EXPECT_TRUE(store_->Maintain().ok());
    }
    EXPECT_GE(store_->stats().scrub_rounds, enough);
  }
};

TEST_F(ScrubTest, ASoundStoreIsLookedAtWholeAndStaysReady) {
  Round();
  EXPECT_EQ(store_->Damage(), "");
  EXPECT_GE(store_->stats().scrubbed_rows, 700u * 2 + 600 * 2);
}

TEST_F(ScrubTest, ARowThatWentBadIsNamedUntilItIsGone) {
  Sql("UPDATE outcome SET message = 'else' WHERE task = 555");
  Round();
  EXPECT_THAT(store_->Damage(), HasSubstr("table outcome, row 555: "));
  EXPECT_THAT(store_->Damage(), HasSubstr("checksum"));
  EXPECT_EQ(store_->stats().damaged_rows, 1u);
  Round();
  EXPECT_NE(store_->Damage(), "") << "a second look finds it again";
  Sql("UPDATE outcome SET message = 'why' WHERE task = 555");
  Round();
  EXPECT_EQ(store_->Damage(), "");
}

TEST_F(ScrubTest, ARowThatTheActivityLogKnowsAndNobodyFindsIsNamed) {
  Sql("DELETE FROM outcome WHERE task = 17");
  Round();
  EXPECT_THAT(store_->Damage(), HasSubstr("table outcome, row 17"));
  EXPECT_THAT(store_->Damage(), HasSubstr("commit 2 wrote it"));
}

TEST_F(ScrubTest, WhatASalvageMayHaveLostIsNotMissing) {
  Sql("DELETE FROM outcome WHERE task = 17");
  store_.reset();
  auto database = Database::Open(DatabasePath(), {});
  ASSERT_TRUE(database.ok()) << database.status();
  ASSERT_TRUE(WriteMeta(database->get(), kMetaAgreesFrom, "3").ok());
  database->reset();
  Reopen();
  Round();
  EXPECT_EQ(store_->Damage(), "");
}

TEST_F(ScrubTest, WhatIsPurgedIsNotMissing) {
  config_.retention.tasks.count = 10;
  config_.floor_lag = 10;
  Reopen();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(store_->Maintain().ok());
    Commit({});
  }
  EXPECT_GT(store_->stats().purged_tasks, 500u);
  Round();
  EXPECT_EQ(store_->Damage(), "");
}

}  // namespace
}  // namespace muster::store
