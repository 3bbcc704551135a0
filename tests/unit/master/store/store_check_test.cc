// `check` sees what is wrong, says where, and leaves everything as it is.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>

#include "master/store/schema.h"
#include "master/store/store_check.h"
#include "small_store.h"

namespace muster::store {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class StoreCheckTest : public StoreTest {
 protected:
  void MakeStore() {
    Reopen();
    SmallStore(store_.get()).FillAll();
    store_.reset();
  }
  void Kill() {  // the files as they are now, without an orderly end
    const std::string copy = root_ + "/killed";
    std::filesystem::create_directory(copy);
    for (const char* file : {"/muster.db", "/muster.db-wal", "/store.mark", "/lock"}) {
      std::filesystem::copy(config_.directory + file, copy + file);
    }
    store_.reset();
    config_.directory = copy;
  }
  std::vector<std::string> Findings() {
    const auto report = CheckStore(config_.directory);
    EXPECT_TRUE(report.ok()) << report.status();
    std::vector<std::string> lines;
    if (report.ok()) {
      for (const Finding& finding : report->findings) lines.push_back(finding.Line());
    }
    return lines;
  }
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(config_.directory)) {
      files[entry.path().filename().string()] = ReadAll(entry.path().string());
    }
    return files;
  }
};

TEST_F(StoreCheckTest, ASoundStoreIsCountedAndLeftAsItIs) {
  MakeStore();
  const auto before = Files();
  const auto report = CheckStore(config_.directory);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->sound()) << report->findings.front().Line();
  EXPECT_EQ(report->tasks, 27u);
  EXPECT_EQ(report->ended_tasks, 13u);
  EXPECT_EQ(report->epoch, 1);
  EXPECT_FALSE(report->cluster_id.empty());
  EXPECT_FALSE(report->beside_master);
  EXPECT_TRUE(report->notes.empty());
  EXPECT_EQ(Files(), before);
}

TEST_F(StoreCheckTest, TheWriteAheadFileOfAKilledMasterIsReadAndNotTakenOver) {
  Reopen();
  SmallStore(store_.get()).FillAll();
  Kill();
  const auto before = Files();
  ASSERT_GT(before.at("muster.db-wal").size(), 10'000u);
  const auto report = CheckStore(config_.directory);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->sound()) << report->findings.front().Line();
  EXPECT_EQ(report->tasks, 27u);
  EXPECT_EQ(Files(), before);
}

TEST_F(StoreCheckTest, BesideARunningMasterItReadsOneSnapshotAndSaysSo) {
  Reopen();
  SmallStore small(store_.get());
  small.FillAll();
  const auto report = CheckStore(config_.directory);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_TRUE(report->sound()) << report->findings.front().Line();
  EXPECT_TRUE(report->beside_master);
  EXPECT_THAT(report->notes, ElementsAre(HasSubstr("a master serves this store")));
  small.Succeeded(70);  // the master goes on
  EXPECT_EQ(CheckStore(config_.directory)->tasks, 28u);
}

TEST_F(StoreCheckTest, WithoutAStoreThereIsNothingToCheck) {
  EXPECT_EQ(CheckStore(root_ + "/nowhere").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoreCheckTest, AChangedRowIsFoundWithItsTableItsKeyAndItsTask) {
  MakeStore();
  Sql("UPDATE outcome SET exit_code = 3 WHERE task = 11");
  Sql("UPDATE attempt SET worker = 'w9' WHERE key = 20 << 16 | 2");
  EXPECT_THAT(Findings(), ElementsAre("muster.db: table attempt, row 1310722 (task M, attempt 2): its checksum does not match",
                                      "muster.db: table outcome, row 11 (task B): its checksum does not match"));
}

TEST_F(StoreCheckTest, AValueOfAnotherKindIsFoundThoughItsChecksumMatches) {
  MakeStore();
  Sql("UPDATE specification SET owner = CAST(owner AS BLOB) WHERE first = 5");
  EXPECT_THAT(Findings(), ElementsAre("muster.db: table specification, row 5 (task 5): its owner is of another kind"));
}

TEST_F(StoreCheckTest, APlacementThatAStartWouldRefuseIsFound) {
  MakeStore();
  ASSERT_TRUE(WriteMeta(Database::Open(DatabasePath(), {})->get(), kMetaPlacement, "balancer=tarot").ok());
  EXPECT_THAT(Findings(), ElementsAre(AllOf(HasSubstr("table meta, row placement"), HasSubstr("tarot"))));
}

TEST_F(StoreCheckTest, RowsThatDisagreeAreFound) {
  MakeStore();
  Sql("DELETE FROM specification WHERE first = 6");
  Sql("DELETE FROM attempt WHERE key = 20 << 16 | 1");
  Sql("DELETE FROM attempt_end WHERE key = 21 << 16 | 1");
  Sql("DELETE FROM outcome WHERE task = 40");
  Sql("DELETE FROM activity WHERE commit_number = 3");
  const auto findings = Findings();
  EXPECT_THAT(findings, Contains(AllOf(HasSubstr("(task 6, attempt 1)"), HasSubstr("no specification has its task"))));
  EXPECT_THAT(findings, Contains(AllOf(HasSubstr("table attempt_end"), HasSubstr("(task M, attempt 1)"),
                                       HasSubstr("there is no such attempt"))));
  EXPECT_THAT(findings, Contains(AllOf(HasSubstr("table attempt,"), HasSubstr("(task N, attempt 1)"),
                                       HasSubstr("has no end"))));
  EXPECT_THAT(findings, Contains(AllOf(HasSubstr("table outcome, row 40 (task 18)"), HasSubstr("it is missing"))));
  EXPECT_THAT(findings, Contains(HasSubstr("table activity, row 4: the commit before it is missing")));
}

TEST_F(StoreCheckTest, AnOpenTaskThatAStartWouldNotFindIsFound) {
  MakeStore();
  auto database = Database::Open(DatabasePath(), {});
  ASSERT_TRUE(database.ok());
  ASSERT_TRUE(WriteMeta(database->get(), kMetaOpenFloor, "30").ok());
  database->reset();
  EXPECT_THAT(Findings(), Contains(AllOf(HasSubstr("row 5 (task 5)"), HasSubstr("below the floor"))));
}

TEST_F(StoreCheckTest, AViewThatWasChangedIsFound) {
  MakeStore();
  Sql("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, '''FAILED''', '''FAILER''') WHERE name = 'outcomes'");
  EXPECT_THAT(Findings(), ElementsAre("muster.db: table sqlite_schema, row outcomes: it is not as this version makes it"));
  EXPECT_THAT(std::string(TryReopen().message()), HasSubstr("sqlite_schema, row outcomes"));
}

TEST_F(StoreCheckTest, AnEpochThatWentBackIsRefusedByTheMark) {
  MakeStore();
  Reopen();
  store_.reset();
  auto database = Database::Open(DatabasePath(), {});
  ASSERT_TRUE(WriteMeta(database->get(), kMetaEpoch, "1").ok());
  database->reset();
  EXPECT_THAT(Findings(), Contains(HasSubstr("table meta, row epoch: it is 1, but epoch 2 was durable")));
  EXPECT_THAT(std::string(TryReopen().message()), HasSubstr("row epoch: it is 1, but epoch 2 was durable"));
}

TEST_F(StoreCheckTest, AStoreThatIsGoneIsNotReplacedByAnEmptyOne) {
  MakeStore();
  std::filesystem::resize_file(DatabasePath(), 0);
  EXPECT_THAT(std::string(TryReopen().message()), HasSubstr("empty or gone"));
  EXPECT_EQ(std::filesystem::file_size(DatabasePath()), 0u);
}

TEST_F(StoreCheckTest, ItStopsAtTheMostFindings) {
  MakeStore();
  Sql("UPDATE outcome SET exit_code = 3");
  const auto report = CheckStore(config_.directory, {.most_findings = 2});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->findings.size(), 2u);
}

}  // namespace
}  // namespace muster::store
