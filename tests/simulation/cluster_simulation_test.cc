// Thousands of histories of the real cores. A failing one prints the command that replays it.
//
//   MUSTER_SIMULATION_SEED=4711 build/bin/simulation_test     one history
//   MUSTER_SIMULATION_SEEDS=1000000 build/bin/simulation_test as many, from MUSTER_SIMULATION_FIRST (1) on
//   MUSTER_SIMULATION_TRACE=1                                 prints every step
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/support/sanitized.h"
#include "tests/support/simulation/simulated_world.h"

namespace muster::simulation {
namespace {

constexpr uint64_t kSeeds = 20'000;
constexpr uint64_t kShards = 4;
constexpr uint64_t kEnoughForEverything = 4'000;

// A history in which nothing goes wrong proves nothing: all of this must have happened.
constexpr const char* kHappens[] = {
    // wires
    "session broken", "cut off", "cut from worker to master", "cut from master to worker", "calls cut, session alive",
    "session cut, calls alive", "call after the cut", "call repeated", "no hello in time", "session not obeyed",
    "order of an older session", "answer lost on the wire",
    // machines
    "worker killed", "worker killed by a task", "supervisor killed", "worker stopped", "supervisor stopped",
    "worker terminated", "fenced by the supervisor", "drained, exit 0", "drained, exit 1", "refused by a worker",
    "direct execution", "direct execution refused", "given back", "join refused: NAME_TAKEN", "asked to join again",
    // master, disk, clocks
    "master killed", "master killed before a commit", "master killed after a commit", "master stopped for a while",
    "master stopped for long", "master ended in order", "loop far behind the clock", "calendar jumped",
    "commit refused: disk full", "call refused: disk full", "call refused: mailbox full", "slow commit", "sync failed",
    "heartbeat answered during a long commit",
    "asked how others ended", "started after others", "cancelled for what others did",
    // what came of it
    "worker LOST", "sent ahead", "recalled", "superseded attempt stopped", "copies at once", "suspect dispatched",
    "validation started", "stopped while it was validated", "held in validation at a hello", "attempt ended: VALIDATION_FAILED",
    "licence taken", "all licences taken", "queue limited", "queue rated", "queue reset", "queue paused",
    "placement changed over", "placement reset",
    "re-adopted, and ended as the same attempt", "repeated call answered again", "LOST task tried again by hand",
    "refused: QUEUE_FULL", "refused: SHUTTING_DOWN", "attempt ended: PREEMPTED", "attempt ended: REJECTED",
    "attempt ended: LOST", "attempt ended: TIMEOUT", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "LOST", "POISONED"};

using Tally = std::map<std::string, uint64_t>;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

void Summarize(const Tally& happened, uint64_t histories) {
  std::printf("in %" PRIu64 " histories:\n", histories);
  for (const auto& [what, times] : happened) std::printf("%12" PRIu64 "  %s\n", times, what.c_str());
}

class Histories : public ::testing::TestWithParam<uint64_t> {
 protected:
  // False: a promise was broken.
  bool Play(uint64_t seed, Tally* happened) {
    WorldOptions options;
    options.seed = seed;
    options.workers = 2 + static_cast<int>(seed % 3);
    // A broken invariant crashes: the last seed told is the one.
    std::fprintf(stderr, "\rseed %" PRIu64 " ", seed);
    SimulatedWorld world(options);
    const std::string wrong = world.Run();
    EXPECT_EQ(wrong, "") << "replay it: MUSTER_SIMULATION_SEED=" << seed
                         << " build/bin/simulation_test --gtest_filter='*Histories*/0'";
    for (const auto& [what, times] : world.happened()) (*happened)[what] += times;
    (*happened)["turns of the master"] += world.master().turns();
    return wrong.empty();
  }
};

TEST_P(Histories, EveryPromiseHoldsAndEverythingEnds) {
  Tally happened;
  if (const uint64_t one = FromEnvironment("MUSTER_SIMULATION_SEED", 0); one != 0) {
    if (GetParam() == 0) Play(one, &happened);
    return Summarize(happened, 1);
  }
  const uint64_t count = FromEnvironment("MUSTER_SIMULATION_SEEDS", kSeeds);
  const uint64_t first = FromEnvironment("MUSTER_SIMULATION_FIRST", 1);
  uint64_t played = 0;
  for (uint64_t seed = first + GetParam(); seed < first + count; seed += kShards, ++played) {
    if (!Play(seed, &happened)) return;
  }
  std::fprintf(stderr, "\r");
  Summarize(happened, played);
  if (played < kEnoughForEverything) return;
  for (const char* const what : kHappens) EXPECT_GT(happened[what], 0u) << what << " never happened";
}

INSTANTIATE_TEST_SUITE_P(Simulation, Histories, ::testing::Range(uint64_t{0}, kShards));

TEST(Simulation, TheSameSeedGivesTheSameHistory) {
  for (uint64_t seed = 1; seed <= (kSanitized ? 5 : 60); ++seed) {
    WorldOptions options;
    options.seed = seed;
    SimulatedWorld first(options);
    SimulatedWorld second(options);
    ASSERT_EQ(first.Run(), "");
    ASSERT_EQ(second.Run(), "");
    EXPECT_EQ(first.master().digest(), second.master().digest()) << "seed " << seed;
    EXPECT_EQ(first.master().turns(), second.master().turns()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace muster::simulation
