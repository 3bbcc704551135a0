// Handing controllers on, with files that look like a delegated cgroup of version 2.
#include "worker/plugins/command/cgroup_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/execution/recording_listener.h"

namespace muster::command {
namespace {

class HandOnControllersTest : public ::testing::Test {
 protected:
  HandOnControllersTest() {
    std::filesystem::create_directories(own_ + "/worker");
    Write("/cgroup.controllers", "cpuset cpu io memory pids\n");
    Write("/cgroup.subtree_control", "");
    Write("/cgroup.procs", "123\n456\n");
    Write("/worker/cgroup.procs", "");
  }
  void Write(const std::string& name, const std::string& text) { std::ofstream(own_ + name) << text; }
  std::string Read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(own_ + name).rdbuf();
    return text.str();
  }

  execution::TemporaryDirectory directory_;
  const std::string own_ = directory_.path() + "/muster-worker.service";
};

TEST_F(HandOnControllersTest, TheWorkerMovesIntoALeafAndHandsThemOn) {
  EXPECT_EQ(HandOnControllers(own_, {123, 456}), own_);
  EXPECT_EQ(Read("/worker/cgroup.procs"), "456") << "the last one that was moved";
  EXPECT_EQ(Read("/cgroup.subtree_control"), "+cpu +memory +pids");
}

TEST_F(HandOnControllersTest, FromWithinTheLeafItIsTheOneAbove) {
  Write("/cgroup.subtree_control", "cpu memory pids\n");
  EXPECT_EQ(HandOnControllers(own_ + "/worker", {123}), own_);
  EXPECT_EQ(HandOnControllers(own_, {123}), own_);
  EXPECT_EQ(Read("/worker/cgroup.procs"), "") << "nothing is left to be moved";
}

TEST_F(HandOnControllersTest, WhereOthersAreItIsNotOursToChange) {
  EXPECT_EQ(HandOnControllers(own_, {123}), own_);
  EXPECT_EQ(Read("/worker/cgroup.procs"), "");
  EXPECT_EQ(Read("/cgroup.subtree_control"), "");
}

TEST_F(HandOnControllersTest, WithoutTheControllersNobodyMoves) {
  Write("/cgroup.controllers", "cpu pids\n");
  EXPECT_EQ(HandOnControllers(own_, {123, 456}), own_);
  EXPECT_EQ(Read("/worker/cgroup.procs"), "");
}

TEST_F(HandOnControllersTest, ARefusalIsTakenBack) {
  std::filesystem::remove(own_ + "/cgroup.subtree_control");
  EXPECT_EQ(HandOnControllers(own_, {123, 456}), own_);
  EXPECT_EQ(Read("/cgroup.procs").substr(0, 3), "456") << "moved back";
}

}  // namespace
}  // namespace muster::command
