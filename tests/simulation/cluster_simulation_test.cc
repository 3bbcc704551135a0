// A thousand histories of the real core. A failing one prints the command that replays it.
//
//   MUSTER_SIMULATION_SEED=4711 build-debug/bin/simulation_test    one history
//   MUSTER_SIMULATION_SEEDS=100000 build-debug/bin/simulation_test as many, from 1 on
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "tests/support/simulation/simulated_world.h"

namespace muster::simulation {
namespace {

constexpr uint64_t kSeeds = 1000;
constexpr uint64_t kShards = 4;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

class Histories : public ::testing::TestWithParam<uint64_t> {};

TEST_P(Histories, EveryPromiseHoldsAndEverythingEnds) {
  const uint64_t one = FromEnvironment("MUSTER_SIMULATION_SEED", 0);
  const uint64_t count = FromEnvironment("MUSTER_SIMULATION_SEEDS", kSeeds);
  std::map<std::string, uint64_t> happened;
  uint64_t steps = 0;
  for (uint64_t seed = 1 + GetParam(); seed <= count; seed += kShards) {
    if (one != 0 && GetParam() != 0) return;
    WorldOptions options;
    options.seed = one != 0 ? one : seed;
    // A broken invariant crashes: the last seed told is the one.
    std::fprintf(stderr, "\rseed %llu ", static_cast<unsigned long long>(options.seed));
    SimulatedWorld world(options);
    const std::string wrong = world.Run();
    ASSERT_EQ(wrong, "") << "replay it: MUSTER_SIMULATION_SEED=" << options.seed
                         << " build-debug/bin/simulation_test --gtest_filter='*Histories*/0'";
    for (const auto& [what, times] : world.happened()) happened[what] += static_cast<uint64_t>(times);
    steps += world.steps();
    if (one != 0) break;
  }
  std::fprintf(stderr, "\r");
  for (const auto& [what, times] : happened) RecordProperty(what, std::to_string(times));
  RecordProperty("turns", std::to_string(steps));
  if (one != 0 || count < kSeeds) return;
  // A history in which nothing goes wrong proves nothing.
  for (const char* what : {"master killed", "master stopped", "worker killed", "link broken", "cut off", "sent ahead", "recalled",
                           "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "LOST", "POISONED"}) {
    EXPECT_GT(happened[what], 0u) << what << " never happened";
  }
}

INSTANTIATE_TEST_SUITE_P(Simulation, Histories, ::testing::Range(uint64_t{0}, kShards));

TEST(Simulation, TheSameSeedGivesTheSameHistory) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    WorldOptions options;
    options.seed = seed;
    SimulatedWorld first(options);
    SimulatedWorld second(options);
    ASSERT_EQ(first.Run(), "");
    ASSERT_EQ(second.Run(), "");
    EXPECT_EQ(first.digest(), second.digest()) << "seed " << seed;
    EXPECT_EQ(first.steps(), second.steps()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::simulation
