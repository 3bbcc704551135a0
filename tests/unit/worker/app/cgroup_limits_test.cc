#include "worker/app/cgroup_limits.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace muster::worker {
namespace {

// A machine's /proc/self/cgroup and /sys/fs/cgroup, as files in a directory.
class CgroupLimitsTest : public ::testing::Test {
 protected:
  CgroupLimitsTest() {
    char made[] = "/tmp/muster-cgroup-XXXXXX";
    root_ = mkdtemp(made);
  }
  ~CgroupLimitsTest() override { std::filesystem::remove_all(root_); }

  void Membership(const std::string& text) { Write("/proc/self/cgroup", text); }
  void Limit(const std::string& path, const std::string& text) { Write("/sys/fs/cgroup" + path, text + "\n"); }
  CgroupLimits Limits() const { return ReadCgroupLimits(root_); }

 private:
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(CgroupLimitsTest, NothingThereLimitsNothing) {
  EXPECT_EQ(Limits().cores, 0);
  EXPECT_EQ(Limits().memory_bytes, 0);
  Membership("0::/a/b\n");
  Limit("/a/b/cpu.max", "max 100000");
  Limit("/a/b/memory.max", "max");
  EXPECT_EQ(Limits().cores, 0);
  EXPECT_EQ(Limits().memory_bytes, 0);
}

TEST_F(CgroupLimitsTest, TheSmallestOnTheWayUpCounts) {
  Membership("0::/pod/container\n");
  Limit("/pod/container/cpu.max", "400000 100000");
  Limit("/pod/container/memory.max", "1000000");
  Limit("/pod/cpu.max", "150000 100000");
  Limit("/pod/memory.max", "2000000");
  EXPECT_EQ(Limits().cores, 1.5);
  EXPECT_EQ(Limits().memory_bytes, 1'000'000);
}

TEST_F(CgroupLimitsTest, TheFirstVersionHasATreeForEachController) {
  Membership("5:memory:/box\n4:cpu,cpuacct:/other\n0::/\n");
  Limit("/memory/box/memory.limit_in_bytes", "536870912");
  Limit("/memory/memory.limit_in_bytes", "9223372036854771712");  // as it says that there is none
  Limit("/cpu/other/cpu.cfs_quota_us", "50000");
  Limit("/cpu/other/cpu.cfs_period_us", "100000");
  Limit("/cpu/cpu.cfs_quota_us", "-1");
  Limit("/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Limits().cores, 0.5);
  EXPECT_EQ(Limits().memory_bytes, 536'870'912);
}

// A container sees its own cgroup as the root of the mount, under a path of the machine's.
TEST_F(CgroupLimitsTest, APathThatIsNotUnderTheMountLeavesTheMountItself) {
  Membership("7:memory:/docker/4f2a\n0::/docker/4f2a\n");
  Limit("/memory/memory.limit_in_bytes", "300000000");
  Limit("/unified/cpu.max", "200000 100000");
  EXPECT_EQ(Limits().memory_bytes, 300'000'000);
  EXPECT_EQ(Limits().cores, 2);
}

TEST_F(CgroupLimitsTest, WhatIsNoNumberLimitsNothing) {
  Membership("no line of a cgroup\n0::\n0::/x\n");
  Limit("/x/cpu.max", "100000");
  Limit("/x/memory.max", "much");
  EXPECT_EQ(Limits().cores, 0);
  EXPECT_EQ(Limits().memory_bytes, 0);
}

}  // namespace
}  // namespace muster::worker
