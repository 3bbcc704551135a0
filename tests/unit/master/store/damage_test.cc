// What is broken is said, with the place, and nothing of it is repaired in silence.
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "master/store/page_check.h"
#include "master/store/row_checksum.h"
#include "master/store/store_mark.h"
#include "master/store/wal_check.h"
#include "store_fixture.h"

namespace muster::store {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class DamageTest : public StoreTest {
 protected:
  void CommitTasks(uint64_t first, uint64_t count) {
    core::Transaction transaction;
    for (uint64_t id = first; id < first + count; ++id) {
      transaction.specifications.push_back(SingleTask(id, MakeSpec("task-" + std::to_string(id))));
    }
    Commit(transaction);
  }

  std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void WriteFile(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }

  // As after a kill: what the files hold now, in a directory of its own.
  void CrashIntoCopy() {
    const std::string copy = root_ + "/crashed";
    std::filesystem::remove_all(copy);
    std::filesystem::create_directory(copy);
    for (const char* file : {"/muster.db", "/muster.db-wal", "/store.mark"}) {
      std::filesystem::copy(config_.directory + file, copy + file);
    }
    store_.reset();
    config_.directory = copy;
  }
  std::string WalPath() const { return DatabasePath() + "-wal"; }

  void ExpectDamage(const absl::Status& status, const std::string& place) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(config_.directory), HasSubstr(place)));
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos);
  }
};

TEST_F(DamageTest, AFileThatIsNoDatabaseIsRefusedInOneLine) {
  std::filesystem::create_directories(config_.directory);
  WriteFile(DatabasePath(), std::string(8192, 'x'));
  ExpectDamage(TryReopen(), "not a database");
}

TEST_F(DamageTest, ADatabaseOfAnotherProgramIsRefused) {
  std::filesystem::create_directories(config_.directory);
  Sql("CREATE TABLE somebody (x)");
  const absl::Status status = TryReopen();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("another program"));
}

TEST_F(DamageTest, ANewerSchemaIsRefusedAndLeftAlone) {
  Reopen();
  CommitTasks(1, 1);
  store_.reset();
  RowChecksum checksum;
  checksum.AddBytes("schema_version");
  checksum.AddBytes("5");
  Sql("UPDATE meta SET value = '5', crc = " + std::to_string(checksum.value()) + " WHERE key = 'schema_version'");
  const absl::Status status = TryReopen();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("schema version 5, and this muster-master knows 4"));
  EXPECT_EQ(Sql("SELECT count(*) FROM specification")[0], "1");
}

// What a master from before queues had settings leaves.
TEST_F(DamageTest, AStoreOfTheFirstVersionGetsWhatItLacksAndKeepsWhatItHas) {
  Reopen();
  CommitTasks(1, 3);
  store_.reset();
  RowChecksum checksum;
  checksum.AddBytes("schema_version");
  checksum.AddBytes("1");
  Sql("DROP TABLE queue_setting");
  Sql("DROP TABLE run_time");
  Sql("DROP TABLE schedule");
  Sql("DROP TABLE schedule_progress");
  Sql("DROP TABLE workflow");
  Sql("DROP TABLE workflow_part");
  Sql("DROP TABLE workflow_state");
  Sql("UPDATE meta SET value = '1', crc = " + std::to_string(checksum.value()) + " WHERE key = 'schema_version'");
  ASSERT_TRUE(TryReopen().ok());
  EXPECT_EQ(Sql("SELECT count(*) FROM specification")[0], "3");
  EXPECT_EQ(Sql("SELECT value FROM meta WHERE key = 'schema_version'")[0], "4");
  EXPECT_EQ(Sql("SELECT count(*) FROM queue_setting")[0], "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM run_time")[0], "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM schedule")[0], "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM schedule_progress")[0], "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM workflow")[0], "0");
}

// All else that is damaged stops the start; this is only advice.
TEST_F(DamageTest, DamagedRunTimesAreCountedAndTheRestIsThere) {
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  for (uint64_t i = 1; i <= 4; ++i) {
    transaction.run_times.learned.push_back({.fingerprint = i, .command = "sleep", .newest = {absl::Seconds(i)}, .last = At(i)});
  }
  Commit(transaction);
  Sql("UPDATE run_time SET runs = 7 WHERE fingerprint = '0000000000000002'");
  Sql("DELETE FROM run_time WHERE fingerprint = '0000000000000003'");
  const core::RecoveredState state = Reopen();
  EXPECT_EQ(state.damaged_run_times, 1u);
  ASSERT_EQ(state.run_times.size(), 2u);
  EXPECT_EQ(state.run_times[0].fingerprint, 1u);
  EXPECT_EQ(state.run_times[1].fingerprint, 4u);
  EXPECT_EQ(state.tasks.size(), 1u);
}

TEST_F(DamageTest, AFlippedByteInARowIsFoundWithItsPlace) {
  Reopen();
  CommitTasks(1, 50);
  store_.reset();
  std::string content = ReadFile(DatabasePath());
  // In the name and in the payload of that row, and in the index of names.
  int places = 0;
  for (size_t at = 0; (at = content.find("task-33", at)) != std::string::npos; ++at, ++places) content[at + 2] ^= 1;
  ASSERT_GE(places, 3);
  WriteFile(DatabasePath(), content);
  ExpectDamage(TryReopen(), "table specification, row 33");
}

TEST_F(DamageTest, AnEditedValueIsFoundByReadersToo) {
  Reopen();
  core::Transaction transaction;
  transaction.specifications = {SingleTask(1)};
  transaction.outcomes = {Outcome(1)};
  Commit(transaction);
  Sql("UPDATE outcome SET state = 8");
  ExpectDamage(store_->FindTask(TaskId(1)).status(), "table outcome, row 1");
}

TEST_F(DamageTest, BrokenPagesAreFoundAfterAnUncleanEnd) {
  Reopen();
  core::Transaction transaction;
  for (uint64_t id = 1; id <= 3000; ++id) {
    transaction.specifications.push_back(SingleTask(id));
    transaction.outcomes.push_back(Outcome(id));
  }
  Commit(transaction);
  store_.reset();
  std::string content = ReadFile(DatabasePath());
  const int64_t page = std::stoll(Sql("SELECT rootpage FROM sqlite_master WHERE name = 'outcome'")[0]);
  for (int i = 0; i < 64; ++i) content[static_cast<size_t>((page - 1) * 4096 + i)] ^= 0x5a;
  WriteFile(DatabasePath(), content);
  EXPECT_EQ(TryReopen().code(), absl::StatusCode::kDataLoss);
}

// A tree is one step to quick_check, whatever its size: by itself it would go through all of the history.
TEST_F(DamageTest, TheLookAtPagesStopsInTheMiddleOfATree) {
  Reopen();
  CommitTasks(1, 20'000);
  store_.reset();
  size_t pages = 0;
  EXPECT_TRUE(CheckPages(DatabasePath(), [&] { return ++pages, false; }).ok());
  EXPECT_GT(pages, 300u);

  size_t questions = 0;
  EXPECT_TRUE(CheckPages(DatabasePath(), [&] { return ++questions > 100; }).ok());
  EXPECT_EQ(questions, 101u);
}

TEST_F(DamageTest, WhatWasLookedAtBeforeTimeWasOverCounts) {
  Reopen();
  CommitTasks(1, 20'000);
  store_.reset();
  std::string content = ReadFile(DatabasePath());
  size_t last_read = 0;
  EXPECT_TRUE(CheckPages(DatabasePath(), [&] { return ++last_read, false; }).ok());
  for (size_t page = 40; page < content.size() / 4096; ++page) content[page * 4096] = '\x42';  // no kind of page
  WriteFile(DatabasePath(), content);
  size_t questions = 0;
  const absl::Status found = CheckPages(DatabasePath(), [&] { return ++questions > last_read; });
  ExpectDamage(found, "btreeInitPage");
  EXPECT_LT(questions, last_read);
  EXPECT_TRUE(CheckPages(DatabasePath(), [] { return true; }).ok());  // nothing was looked at
}

TEST_F(DamageTest, AStoreThatEndsBeforeItsMarkHasLostSomething) {
  Reopen();
  CommitTasks(1, 1);
  store_.reset();
  std::filesystem::copy(DatabasePath(), root_ + "/old.db");
  Reopen();
  CommitTasks(2, 1);
  store_.reset();
  std::filesystem::copy(root_ + "/old.db", DatabasePath(), std::filesystem::copy_options::overwrite_existing);
  ExpectDamage(TryReopen(), "ends at commit 1, but commit 2 was durable");
  std::filesystem::remove(config_.directory + "/store.mark");  // as the message says
  EXPECT_EQ(Reopen().last_commit, CommitNumber(1));
}

TEST_F(DamageTest, AHistoryThatIsNotTheMarksOwnIsRefused) {
  Reopen();
  CommitTasks(1, 1);
  store_.reset();
  std::filesystem::copy(DatabasePath(), root_ + "/old.db");
  Reopen();
  CommitTasks(2, 1);
  store_.reset();
  const std::string mark = ReadFile(config_.directory + "/store.mark");
  std::filesystem::copy(root_ + "/old.db", DatabasePath(), std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(config_.directory + "/store.mark");
  Reopen();
  CommitTasks(2, 7);  // another commit 2
  store_.reset();
  WriteFile(config_.directory + "/store.mark", mark);
  ExpectDamage(TryReopen(), "table activity, row 2");
}

TEST_F(DamageTest, AMarkThatIsTornIsOnlyAWeakerCheck) {
  Reopen();
  CommitTasks(1, 1);
  store_.reset();
  WriteFile(config_.directory + "/store.mark", std::string(600, 'x'));
  EXPECT_EQ(Reopen().last_commit, CommitNumber(1));
}

TEST_F(DamageTest, ATornLastWriteIsDroppedAndCounted) {
  Reopen();
  for (uint64_t n = 0; n < 5; ++n) CommitTasks(1 + 10 * n, 10);
  const size_t whole = std::filesystem::file_size(WalPath());
  std::filesystem::copy(config_.directory + "/store.mark", root_ + "/mark");
  CommitTasks(51, 200);
  CrashIntoCopy();
  std::filesystem::copy(root_ + "/mark", config_.directory + "/store.mark",
                        std::filesystem::copy_options::overwrite_existing);  // the last one was never acknowledged
  const size_t torn = std::filesystem::file_size(WalPath());
  ASSERT_GT(torn, whole + 5000);
  std::filesystem::resize_file(WalPath(), torn - 1000);
  EXPECT_EQ(Reopen().next_id, TaskId(51));
  EXPECT_EQ(store_->stats().torn_writes, 1u);
}

TEST_F(DamageTest, ABadFrameBeforeALaterCommitStopsTheStart) {
  Reopen();
  for (uint64_t n = 0; n < 5; ++n) CommitTasks(1 + 10 * n, 10);
  CrashIntoCopy();
  std::filesystem::remove(config_.directory + "/store.mark");  // even without it
  std::string wal = ReadFile(WalPath());
  const size_t place = wal.find("task-12");
  ASSERT_NE(place, std::string::npos);
  wal[place] ^= 1;
  WriteFile(WalPath(), wal);
  ExpectDamage(TryReopen(), "bad frame");
}

// A write-ahead file of one frame whose checksums hold.
class OneFrame {
 public:
  OneFrame(uint32_t page_bytes, uint32_t page_number) {
    for (const uint32_t word : {0x377f0683u, 3007000u, page_bytes, 0u, 1u, 2u}) Put(word);
    Sum(0, 24);
    PutSums();
    const size_t frame = bytes_.size();
    for (const uint32_t word : {page_number, 1u, 1u, 2u}) Put(word);
    const size_t sums = bytes_.size();
    Sum(frame, 8);
    bytes_.resize(sums + 8 + page_bytes);
    Sum(sums + 8, page_bytes);
    std::string page = bytes_.substr(sums + 8);
    bytes_.resize(sums);
    PutSums();
    bytes_ += page;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Put(uint32_t word) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(word >> shift);
  }
  void PutSums() {
    Put(a_);
    Put(b_);
  }
  void Sum(size_t at, size_t size) {
    const auto word = [this](size_t i) {
      uint32_t value = 0;
      for (size_t j = 0; j < 4; ++j) value = value << 8 | static_cast<uint8_t>(bytes_[i + j]);
      return value;
    };
    for (size_t i = at; i < at + size; i += 8) {
      a_ += word(i) + b_;
      b_ += word(i + 4) + a_;
    }
  }

  std::string bytes_;
  uint32_t a_ = 0, b_ = 0;
};

TEST_F(DamageTest, WhatSqliteTakesForNoFrameIsNotCounted) {
  const std::string path = root_ + "/wal";
  const auto frames = [&](uint32_t page_bytes, uint32_t page_number) {
    WriteFile(path, OneFrame(page_bytes, page_number).bytes());
    return CheckWal(path)->frames;
  };
  EXPECT_EQ(frames(512, 1), 1u);
  EXPECT_EQ(frames(512, 0), 0u);  // of no page
  EXPECT_EQ(frames(520, 1), 0u);  // pages are of a power of two
}

TEST_F(DamageTest, AWriteAheadFileThatWasCutShortIsNoticedByTheMark) {
  Reopen();
  for (uint64_t n = 0; n < 5; ++n) CommitTasks(1 + 10 * n, 10);
  CrashIntoCopy();
  std::filesystem::resize_file(WalPath(), std::filesystem::file_size(WalPath()) / 2);
  ExpectDamage(TryReopen(), "was durable");
}

TEST_F(DamageTest, AWriteAheadFileThatIsNoneHasNoFrames) {
  const std::string path = root_ + "/wal";
  EXPECT_EQ(CheckWal(path)->frames, 0u);
  WriteFile(path, "short");
  EXPECT_EQ(CheckWal(path)->frames, 0u);
  WriteFile(path, std::string(100'000, '\x37'));
  EXPECT_EQ(CheckWal(path)->frames, 0u);
}

TEST_F(DamageTest, AfterAFailedSyncTheContentsMoveToANewFile) {
  Reopen();
  CommitTasks(1, 10);
  store_.reset();
  {
    auto mark = StoreMark::Open(config_.directory);
    ASSERT_TRUE(mark.ok());
    mark->NoteFailedSync();
  }
  const std::string before = Sql("SELECT count(*) FROM specification")[0];
  struct stat old_file;
  ASSERT_EQ(stat(DatabasePath().c_str(), &old_file), 0);
  EXPECT_EQ(Reopen().tasks.size(), 10u);
  struct stat new_file;
  ASSERT_EQ(stat(DatabasePath().c_str(), &new_file), 0);
  EXPECT_NE(old_file.st_ino, new_file.st_ino);
  CommitTasks(11, 1);
  ASSERT_EQ(stat(DatabasePath().c_str(), &old_file), 0);
  EXPECT_EQ(Reopen().tasks.size(), 11u);
  ASSERT_EQ(stat(DatabasePath().c_str(), &new_file), 0);
  EXPECT_EQ(old_file.st_ino, new_file.st_ino);  // once is enough
}

}  // namespace
}  // namespace muster::store
