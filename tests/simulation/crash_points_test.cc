// Every place where the master can die in a short history: before each commit, in its sync, after it, and between any
// two of the effects that it released; and again while it recovers. From each, the next master must find everything
// and bring it to its end.
//
// The store makes one commit durable before the next begins, so at a death at most the one under way is undecided: it
// is there as a whole or not at all, and both are tried. (What a disk makes of that: tests/unit/master/store.)
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/sanitized.h"
#include "tests/support/simulation/cluster_times.h"
#include "tests/support/simulation/simulated_world.h"
#include "tests/support/test_cluster.h"

namespace muster::simulation {
namespace {

constexpr uint64_t kStride = kSanitized ? 7 : 1;  // every so-manieth commit

struct Story {
  const char* name;
  std::function<void(SimulatedWorld&)> plan;
};

TaskSpecPtr Task(OnWorkerLoss mode, uint64_t kind = kSlow, uint32_t attempts = 1) {
  return testing::Spec([&](TaskSpec& spec) {
    spec.on_worker_loss = mode;
    spec.fingerprint = kind;
    spec.retry.max_attempts = attempts;
    spec.retry.max_delay = absl::Seconds(2);
    spec.max_worker_losses = 2;
  });
}

void EachMode(SimulatedWorld& world) {
  for (const OnWorkerLoss mode : {OnWorkerLoss::kRerun, OnWorkerLoss::kRerunAfterFence, OnWorkerLoss::kHold}) {
    world.clients().Submit(Task(mode));
  }
}

void At(SimulatedWorld& world, absl::Duration when, std::function<void()> what) {
  world.scene().After(when, std::move(what));
}

const std::vector<Story>& Stories() {
  static const std::vector<Story> stories = {
      {"ATaskOfEachModeRuns",
       [](SimulatedWorld& world) { At(world, absl::Seconds(1), [&world] { EachMode(world); }); }},
      {"ABatchOfQuickOnesIsSentAhead",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { world.clients().Submit(Task(OnWorkerLoss::kRerun, kQuick), 6); });
         At(world, absl::Seconds(2), [&world] { world.clients().Submit(Task(OnWorkerLoss::kRerun, kQuick), 6); });
       }},
      {"WhatFailsIsTriedAgain",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { world.clients().Submit(Task(OnWorkerLoss::kRerun, kQuick, 5), 8); });
       }},
      {"OneIsCancelledWhileItRuns",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { EachMode(world); });
         for (int i = 0; i < 4; ++i) {
           At(world, absl::Milliseconds(1300 + 100 * i), [&world] { world.clients().CancelSomething(); });
         }
       }},
      {"AWorkerDiesMidRun",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { EachMode(world); });
         At(world, absl::Milliseconds(1400), [&world] { world.machine(1).KillServer("killed"); });
       }},
      {"ATaskKillsItsWorkers",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { world.clients().Submit(Task(OnWorkerLoss::kRerun, kDeadly)); });
       }},
      {"AWorkerIsCutOffAndComesBack",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { EachMode(world); });
         At(world, absl::Milliseconds(1400), [&world] {
           for (const Path path : {Path::kSession, Path::kRegistry}) {
             for (const Way way : {Way::kUp, Way::kDown}) world.machine(1).wire().CutFor(path, way, absl::Seconds(14));
           }
         });
       }},
      {"ADrainPreempts",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { EachMode(world); });
         At(world, absl::Milliseconds(1400), [&world] { world.clients().Drain("w1", absl::Milliseconds(300)); });
         for (int i = 3; i < 30; i += 4) At(world, absl::Seconds(i), [&world] { world.clients().Resume("w1"); });
       }},
      {"TasksWaitForOthers",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] {
           world.clients().Submit(Task(OnWorkerLoss::kRerun));
           world.clients().Submit(Task(OnWorkerLoss::kRerun, kQuick), 4);
         });
         // Some come while what they wait for runs, some when it has ended.
         for (int i = 0; i < 8; ++i) {
           At(world, absl::Milliseconds(1200 + 250 * i), [&world, i] {
             world.clients().SubmitAfterOthers(Task(OnWorkerLoss::kRerun, kQuick), i % 3 == 2 ? 3 : 0);
           });
         }
       }},
      {"TheMasterEndsInOrder",
       [](SimulatedWorld& world) {
         At(world, absl::Seconds(1), [&world] { EachMode(world); });
         At(world, absl::Milliseconds(1400), [&world] { world.master().Stop(); });
       }},
  };
  return stories;
}

constexpr uint64_t kStorySeeds[] = {11, 12, 13};  // each story thrice, with other delays

class CrashPoints : public ::testing::TestWithParam<size_t> {
 protected:
  struct Ran {
    std::string wrong;
    uint64_t commits = 0;
    std::vector<size_t> effects;
    bool died = false;
  };
  Ran Run(uint64_t seed, std::vector<Death> deaths) const {
    const size_t planned = deaths.size();
    WorldOptions options;
    options.seed = seed;
    options.workers = 2;
    options.calls = 0;
    options.accidents = false;
    options.troubled = absl::Seconds(4);
    options.deaths = std::move(deaths);
    SimulatedWorld world(options);
    Stories()[GetParam()].plan(world);
    Ran ran;
    ran.wrong = world.Run();
    ran.commits = world.master().commits();
    ran.effects = world.master().effects_by_commit();
    ran.died = world.master().deaths_met() == planned;
    return ran;
  }
  static std::string Show(const std::vector<Death>& deaths) {
    std::string text;
    for (const Death& death : deaths) {
      absl::StrAppend(&text, " commit ", death.commit, " moment ", static_cast<int>(death.moment), " after ",
                      death.effects, " effects;");
    }
    return text;
  }
};

TEST_P(CrashPoints, FromEachTheNextMasterBringsEverythingToItsEnd) {
  size_t places = 0;
  for (const uint64_t seed : kStorySeeds) {
    const Ran whole = Run(seed, {});
    ASSERT_EQ(whole.wrong, "");
    ASSERT_GE(whole.commits, 3u);
    for (uint64_t commit = 1; commit <= whole.commits; commit += kStride) {
      std::vector<Death> here = {{commit, Moment::kBeforeCommit, 0}, {commit, Moment::kSyncFails, 0}};
      for (size_t effects = 0; effects <= whole.effects[commit - 1]; ++effects) {
        here.push_back({commit, Moment::kAfterCommit, effects});
      }
      for (const Death& death : here) {
        const Ran ran = Run(seed, {death});
        ASSERT_EQ(ran.wrong, "") << "seed " << seed << Show({death});
        ASSERT_TRUE(ran.died) << "seed " << seed << Show({death});
        ++places;
      }
    }
  }
  std::printf("%s: died at %zu places\n", Stories()[GetParam()].name, places);
}

TEST_P(CrashPoints, AndItMayDieAgainWhileItRecovers) {
  for (const uint64_t seed : kStorySeeds) {
    const Ran whole = Run(seed, {});
    size_t died_twice = 0;
    for (uint64_t commit = 1; commit <= whole.commits; commit += kStride) {
      for (const Moment first : {Moment::kBeforeCommit, Moment::kAfterCommit}) {
        for (uint64_t next = 1; next <= 3; ++next) {
          for (const Moment second : {Moment::kBeforeCommit, Moment::kAfterCommit}) {
            const std::vector<Death> deaths = {{commit, first, 0}, {commit + next, second, 0}};
            const Ran ran = Run(seed, deaths);
            ASSERT_EQ(ran.wrong, "") << "seed " << seed << Show(deaths);
            died_twice += ran.died ? 1 : 0;  // the second place may lie after the end
          }
        }
      }
    }
    EXPECT_GE(died_twice, whole.commits / kStride * 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Simulation, CrashPoints, ::testing::Range(size_t{0}, Stories().size()),
                         [](const auto& info) { return Stories()[info.param].name; });

}  // namespace
}  // namespace muster::simulation
