#include "worker/execution/work_directories.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

namespace fs = std::filesystem;

class WorkDirectoriesTest : public ::testing::Test {
 protected:
  std::unique_ptr<WorkDirectories> Open(uint32_t ahead = 1) {
    auto opened = WorkDirectories::Open(work(), ahead);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  std::string work() const { return directory_.path() + "/work"; }
  std::string outside() const { return directory_.path(); }
  void Write(const std::string& path) { std::ofstream(path) << "x"; }

  TemporaryDirectory directory_;
};

TEST_F(WorkDirectoriesTest, ADirectoryIsFreshAndPrivateAndGoneAfterwards) {
  auto directories = Open();
  WorkDirectories::Lease lease = *directories->Take();
  const std::string path = lease.path;
  struct stat state {};
  ASSERT_EQ(stat(path.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 07777, 0700u);
  EXPECT_TRUE(fs::is_empty(path));
  EXPECT_FALSE(directories->GiveBack(std::move(lease)));
  EXPECT_FALSE(fs::exists(path));
}

// A process that only its environment ties to a task, as one that forked away from a command whose worker was killed.
pid_t SleeperOf(const std::string& task_directory) {
  std::string mark = "MUSTER_TASK_DIR=" + task_directory;
  std::string other = "A=1";
  char* environment[] = {other.data(), mark.data(), nullptr};
  char name[] = "sleep", seconds[] = "600";
  char* arguments[] = {name, seconds, nullptr};
  pid_t pid = -1;
  EXPECT_EQ(posix_spawn(&pid, "/bin/sleep", nullptr, nullptr, arguments, environment), 0);
  return pid;
}

TEST_F(WorkDirectoriesTest, WhatAnEarlierRunLeftRunningIsKilledAndNobodyElse) {
  Open().reset();
  const pid_t left = SleeperOf(work() + "/attempts/gone-1");
  fs::create_directories(outside() + "/another/attempts");
  const pid_t neighbour = SleeperOf(outside() + "/another/attempts/gone-1");
  auto directories = Open();
  ASSERT_NE(directories, nullptr);
  int status = 0;
  EXPECT_EQ(waitpid(left, &status, 0), left);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_EQ(waitpid(neighbour, &status, WNOHANG), 0) << "a worker beside it lost a process";
  kill(neighbour, SIGKILL);
  waitpid(neighbour, &status, 0);
}

TEST_F(WorkDirectoriesTest, APredecessorThatIsStillDyingIsWaitedFor) {
  auto predecessor = Open();
  const absl::Time began = absl::Now();
  ASSERT_FALSE(WorkDirectories::Open(work(), 1, absl::Milliseconds(50)).ok());
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(50)) << "it did not wait";
  absl::Status successor = absl::UnknownError("not tried");
  std::thread opens([&] { successor = WorkDirectories::Open(work(), 1).status(); });
  predecessor.reset();
  opens.join();
  EXPECT_TRUE(successor.ok()) << successor;
}

TEST_F(WorkDirectoriesTest, NoPathIsEverGivenTwice) {
  auto directories = Open();
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    WorkDirectories::Lease lease = *directories->Take();
    EXPECT_TRUE(seen.insert(lease.path).second);
    EXPECT_TRUE(fs::is_empty(lease.path));
    if (i % 2 == 0) Write(lease.path + "/left");
    directories->GiveBack(std::move(lease));
  }
}

TEST_F(WorkDirectoriesTest, LinksOutAreRemovedAndNotFollowed) {
  auto directories = Open();
  WorkDirectories::Lease lease = *directories->Take();
  fs::create_directory(outside() + "/precious");
  Write(outside() + "/precious/file");
  fs::create_directory_symlink(outside() + "/precious", lease.path + "/link");
  fs::create_symlink(outside() + "/precious/file", lease.path + "/link2");
  fs::create_directory(lease.path + "/sub");
  fs::create_directory_symlink(outside() + "/precious", lease.path + "/sub/link");
  const std::string path = lease.path;
  directories->GiveBack(std::move(lease));
  directories->RemoveTrash();
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(outside() + "/precious/file"));
}

TEST_F(WorkDirectoriesTest, ADirectoryThatWasReplacedByALinkHarmsNobody) {
  auto directories = Open();
  WorkDirectories::Lease lease = *directories->Take();
  fs::create_directory(outside() + "/precious");
  Write(outside() + "/precious/file");
  fs::rename(lease.path, outside() + "/moved");
  fs::create_directory_symlink(outside() + "/precious", lease.path);
  const std::string path = lease.path;
  directories->GiveBack(std::move(lease));
  directories->RemoveTrash();
  EXPECT_FALSE(fs::exists(fs::symlink_status(path)));
  EXPECT_TRUE(fs::exists(outside() + "/precious/file"));
  EXPECT_EQ(directories->Take()->path.find(work()), 0u);
}

TEST_F(WorkDirectoriesTest, ATreeThatIsDeeperThanTheDescriptorsGoes) {
  auto directories = Open();
  WorkDirectories::Lease lease = *directories->Take();
  int at = open(lease.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 400; ++i) {
    ASSERT_EQ(mkdirat(at, "deeper", 0700), 0);
    const int next = openat(at, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(at);
    at = next;
  }
  close(at);
  const std::string path = lease.path;
  EXPECT_TRUE(directories->GiveBack(std::move(lease)));
  EXPECT_FALSE(fs::exists(path));  // at once, though it is still being removed
  directories->RemoveTrash();
  directories.reset();
  EXPECT_TRUE(fs::is_empty(work() + "/attempts"));
}

TEST_F(WorkDirectoriesTest, WhatTheCommandLockedAwayGoesToo) {
  auto directories = Open();
  WorkDirectories::Lease lease = *directories->Take();
  fs::create_directories(lease.path + "/a/b");
  Write(lease.path + "/a/b/file");
  chmod((lease.path + "/a/b").c_str(), 0);
  chmod((lease.path + "/a").c_str(), 0500);
  chmod(lease.path.c_str(), 0500);
  directories->GiveBack(std::move(lease));
  directories->RemoveTrash();
  directories.reset();
  EXPECT_TRUE(fs::is_empty(work() + "/attempts"));
}

TEST_F(WorkDirectoriesTest, WhatAPredecessorLeftIsCleanedAtTheStart) {
  fs::create_directories(work() + "/attempts/old/sub");
  Write(work() + "/attempts/old/sub/file");
  fs::create_directory(outside() + "/precious");
  Write(outside() + "/precious/file");
  fs::create_directory_symlink(outside() + "/precious", work() + "/attempts/link");
  auto directories = Open();
  EXPECT_FALSE(fs::exists(work() + "/attempts/old"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(work() + "/attempts/link")));
  EXPECT_TRUE(fs::exists(outside() + "/precious/file"));
}

TEST_F(WorkDirectoriesTest, ASecondWorkerInTheSamePlaceIsRefused) {
  auto directories = Open();
  const auto second = WorkDirectories::Open(work(), 1, absl::ZeroDuration());
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("in use by another worker"), std::string::npos);
}

TEST_F(WorkDirectoriesTest, ARelativePathIsRefused) {
  EXPECT_FALSE(WorkDirectories::Open("work", 1).ok());
  EXPECT_FALSE(WorkDirectories::Open("", 1).ok());
}

TEST_F(WorkDirectoriesTest, KnowsTheFreeSpace) { EXPECT_GT(Open()->FreeBytes(), 0); }

}  // namespace
}  // namespace muster::execution
