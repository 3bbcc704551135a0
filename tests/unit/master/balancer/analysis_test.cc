// What decides and what explains never disagree: random clusters, random requirements, every policy.
#include "master/balancer/analysis.h"

#include <cstdlib>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/master/balancer/cluster_of_facts.h"

namespace muster::balancer {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kMebi = int64_t{1} << 20;

class RandomCluster {
 public:
  RandomCluster(BalancerKind balancer, uint64_t seed) : cluster_(balancer, Former(seed)), random_(seed) {
    const int workers = Below(9);
    for (int i = 0; i < workers; ++i) Shape(cluster_.Add(static_cast<uint32_t>(1 + Below(4))));
  }

  // One worker becomes another, or something is placed, or fails.
  void Change() {
    if (cluster_.workers().empty()) return;
    if (Below(3) == 0) {
      cluster_.Place(AskForSomething(), WorkerId(), RunSomething());
    } else if (Below(4) == 0) {
      cluster_.balancer().Failed(AnyWorker(), RunSomething());
    } else {
      Shape(AnyWorker());
    }
  }

  uint64_t RunSomething() { return static_cast<uint64_t>(Below(kKinds + 1)); }  // 0: of no kind

  Requirements AskForSomething() {
    Requirements requirements{.executor = Below(4) == 0 ? "http" : "command", .needs = {}, .resources = {.slots = 1}};
    for (const char* name : {"gpu", "zone"}) {
      if (Below(4) == 0) requirements.needs.push_back({name, "a", Below(2) == 0});
    }
    for (const char* name : {"spot", "zone"}) {
      if (Below(5) == 0) requirements.excludes.push_back({name, "b", Below(2) == 0});
    }
    for (auto* list : {&requirements.needs, &requirements.excludes}) {
      for (Need& need : *list) {
        if (!need.has_value) need.value.clear();
      }
    }
    requirements.arrangement = static_cast<Arrangement>(Below(3));
    requirements.resources.slots = static_cast<uint32_t>(Below(6) == 0 ? 0 : 1 + Below(3));
    if (Below(3) == 0) requirements.resources.cpu_millis = 500 * (1 + Below(8));
    if (Below(3) == 0) requirements.resources.memory_bytes = kMebi / 2 * (1 + Below(8));
    if (Below(4) == 0) requirements.resources.disk_bytes = kMebi / 2 * (1 + Below(8));
    if (Below(3) == 0) requirements.resources.named = {{"licence", 1 + Below(3)}};
    return requirements;
  }
  WorkerId AvoidSomeone() {
    return WorkerId(static_cast<uint32_t>(Below(3) == 0 ? 0 : Below(static_cast<int>(cluster_.workers().size()) + 1)));
  }

  Balancer& balancer() { return cluster_.balancer(); }
  const std::vector<std::unique_ptr<WorkerFacts>>& workers() const { return cluster_.workers(); }

 private:
  static constexpr int kKinds = 3;

  // Of half of the kinds it is known where they ran before, though not whether those workers are there.
  static FormerPlaces Former(uint64_t seed) {
    return [seed](uint64_t fingerprint) {
      Favourites former;
      for (uint64_t i = 0; (seed + fingerprint) % 2 == 0 && i < 3; ++i) {
        former.Add(WorkerId(static_cast<uint32_t>(1 + (seed / 2 + 3 * i) % 10)));
      }
      return former;
    };
  }

  WorkerId AnyWorker() { return WorkerId(static_cast<uint32_t>(1 + Below(static_cast<int>(cluster_.workers().size())))); }
  int Below(int end) { return static_cast<int>(random_() % static_cast<uint64_t>(end)); }

  void Shape(WorkerId id) {
    cluster_.Edit(id, [this](WorkerFacts& worker) {
      WorkerOffer& offer = worker.offer;
      offer.labels.clear();
      for (const char* name : {"gpu", "spot", "zone"}) {
        if (Below(2) == 0) offer.labels.emplace_back(name, Below(2) == 0 ? "a" : "b");
      }
      offer.executors = {ExecutorOffer{.name = "command", .healthy = Below(8) != 0}};
      if (Below(2) == 0) offer.executors.push_back(ExecutorOffer{.name = "http", .healthy = Below(2) == 0});
      offer.capacity = {.slots = static_cast<uint32_t>(Below(5)), .cpu_millis = 500 * Below(9),
                        .memory_bytes = kMebi / 2 * Below(9), .disk_bytes = kMebi / 2 * Below(9), .named = {}};
      if (Below(2) == 0) offer.capacity.named = {{"licence", Below(4)}};
      // More may be taken than there is, after adoption.
      worker.used = {.slots = static_cast<uint32_t>(Below(5)), .cpu_millis = 500 * Below(5),
                     .memory_bytes = kMebi / 2 * Below(5), .disk_bytes = kMebi / 2 * Below(5),
                     .named = {{"licence", Below(3)}}};
      ++worker.offer_revision;
      static constexpr WorkerState kStates[] = {WorkerState::kActive, WorkerState::kActive,   WorkerState::kActive,
                                                WorkerState::kActive, WorkerState::kSuspect,  WorkerState::kLost,
                                                WorkerState::kDraining, WorkerState::kQuarantined};
      worker.state = kStates[Below(8)];
      worker.on_trial = worker.state == WorkerState::kQuarantined && Below(2) == 0;
      worker.slot_limit = Below(4) == 0 ? static_cast<uint32_t>(Below(2)) : WorkerFacts::kNoLimit;
      worker.takes_nothing_because = worker.state != WorkerState::kActive || Below(8) == 0 ? "for a reason" : "";
    });
  }

  ClusterOfFacts cluster_;
  std::mt19937_64 random_;
};

struct Seen {
  int placed = 0;
  int full = 0;
  int infeasible = 0;
  int avoided = 0;
  int changed = 0;
};

// One question to both sides.
void Compare(RandomCluster& cluster, Seen* seen) {
  const Requirements requirements = cluster.AskForSomething();
  const WorkerId avoid = cluster.AvoidSomeone();
  const uint64_t fingerprint = cluster.RunSomething();
  const Analysis told = cluster.balancer().Analyze(requirements, avoid, fingerprint);
  const Placement decided = cluster.balancer().Choose(requirements, avoid, fingerprint);
  const auto* placed = std::get_if<Placed>(&decided);
  EXPECT_EQ(told.starts_on.value_or(WorkerId()), placed != nullptr ? placed->worker : WorkerId());
  EXPECT_EQ(told.hopeless != Hopeless::kNo, std::holds_alternative<Infeasible>(decided));
  EXPECT_EQ(told.hopeless != Hopeless::kNo, !cluster.balancer().WhyInfeasible(requirements).empty());
  EXPECT_EQ(!told.starts_on && told.workers > 0, static_cast<bool>(told.nearest));
  EXPECT_EQ(told.nearest_misses.empty(), !told.nearest);

  uint32_t turned_down = 0;
  uint32_t there = 0;
  for (const auto& worker : cluster.workers()) {
    if (worker->state == WorkerState::kLost) continue;
    ++there;
    if (worker->id == told.starts_on) continue;
    const bool only_avoided = worker->id == avoid && !FirstRejection(*worker, requirements, WorkerId());
    if (only_avoided || FirstRejection(*worker, requirements, WorkerId())) ++turned_down;
    if (only_avoided) ++seen->avoided;
  }
  EXPECT_EQ(told.workers, there);
  EXPECT_EQ(turned_down, std::accumulate(told.groups.begin(), told.groups.end(), 0u,
                                         [](uint32_t sum, const MissGroup& group) { return sum + group.count; }));

  seen->placed += placed != nullptr ? 1 : 0;
  seen->full += std::holds_alternative<NoCapacityNow>(decided) ? 1 : 0;
  seen->infeasible += told.hopeless != Hopeless::kNo ? 1 : 0;
  if (!told.would_start_now) return;
  ++seen->changed;
  EXPECT_FALSE(told.starts_on.has_value());
  EXPECT_NE(ChangeText(requirements, *told.would_start_now), "");
  EXPECT_TRUE(std::holds_alternative<Placed>(cluster.balancer().Choose(*told.would_start_now, avoid)))
      << ChangeText(requirements, *told.would_start_now);
}

class AgreementTest : public ::testing::TestWithParam<BalancerKind> {};

TEST_P(AgreementTest, WhatIsSaidToStartNowIsPlacedThereAndNothingElseIs) {
  Seen seen;
  const char* replay = std::getenv("MUSTER_SEED");
  const uint64_t first = replay != nullptr ? std::strtoull(replay, nullptr, 10) : 1;
  const uint64_t last = replay != nullptr ? first : 1500;
  for (uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(absl::StrCat("MUSTER_SEED=", seed, " replays it"));
    RandomCluster cluster(GetParam(), seed);
    for (int step = 0; step < 40 && !HasFailure(); ++step) {
      Compare(cluster, &seen);
      cluster.Change();
    }
    cluster.balancer().CheckInvariants();
    if (HasFailure()) return;
  }
  if (replay != nullptr) return;
  // Neither side won by saying nothing.
  EXPECT_GT(seen.placed, 1000);
  EXPECT_GT(seen.full, 1000);
  EXPECT_GT(seen.infeasible, 1000);
  EXPECT_GT(seen.avoided, 100);
  EXPECT_GT(seen.changed, 1000);
}

INSTANTIATE_TEST_SUITE_P(EachPolicy, AgreementTest,
                         ::testing::ValuesIn(kBalancers),
                         [](const auto& info) { return std::string(BalancerName(info.param)); });

TEST(AnalysisTest, GroupsWorkersByCauseTheLargestFirst) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  for (int i = 0; i < 5; ++i) cluster.Add(2);
  const WorkerId gpu = cluster.Add(1, 0, {{"gpu", ""}});
  cluster.Edit(gpu, [](WorkerFacts& worker) { worker.used.slots = 1; });
  const Requirements requirements = OneSlot({NeedNamed("gpu")});
  const Analysis told = cluster.balancer().Analyze(requirements, WorkerId());
  ASSERT_EQ(told.groups.size(), 2u);
  EXPECT_EQ(told.groups[0].count, 5u);
  EXPECT_THAT(told.groups[0].examples, ElementsAre(WorkerId(1), WorkerId(2), WorkerId(3)));
  EXPECT_EQ(CauseText(told.groups[0].miss, requirements), "has no label gpu");
  EXPECT_EQ(CauseText(told.groups[1].miss, requirements), "has no slot free");
}

TEST(AnalysisTest, TheNearestWorkerNeedsLeastToHappen) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  cluster.Add(4);                                                  // lacks the label
  const WorkerId full = cluster.Add(1, 0, {{"gpu", ""}});          // lacks a slot
  cluster.Edit(full, [](WorkerFacts& worker) { worker.used.slots = 1; });
  const Analysis told = cluster.balancer().Analyze(OneSlot({NeedNamed("gpu")}), WorkerId());
  EXPECT_EQ(told.nearest, full);
  EXPECT_THAT(told.nearest_misses, ElementsAre(Miss{Obstacle::kNoRoom, kSlots}));
  ASSERT_TRUE(told.would_start_now.has_value());
  EXPECT_EQ(ChangeText(OneSlot({NeedNamed("gpu")}), *told.would_start_now), "without label gpu");
}

TEST(AnalysisTest, AWorkerWithAnAvoidedLabelIsNearestWhenNothingElseIsWrongWithIt) {
  ClusterOfFacts cluster(BalancerKind::kLeastLoaded);
  cluster.Add(2);
  const WorkerId spot = cluster.Add(2, 0, {{"gpu", ""}, {"spot", ""}});
  Requirements requirements = OneSlot({NeedNamed("gpu")});
  requirements.excludes = {NeedNamed("fragile"), NeedNamed("spot")};
  const Analysis told = cluster.balancer().Analyze(requirements, WorkerId());
  EXPECT_EQ(told.hopeless, Hopeless::kNoneHasAll);
  EXPECT_THAT(cluster.balancer().WhyInfeasible(requirements),
              ElementsAre("no single worker has all of: executor command, label gpu, no label fragile, no label spot"));
  ASSERT_TRUE(told.would_start_now.has_value());
  EXPECT_EQ(ChangeText(requirements, *told.would_start_now), "without label gpu");
  cluster.SetState(WorkerId(1), WorkerState::kDraining);
  const Analysis without = cluster.balancer().Analyze(requirements, WorkerId());
  EXPECT_EQ(without.nearest, spot);
  EXPECT_THAT(without.nearest_misses, ElementsAre(Miss{Obstacle::kHasExcluded, 1}));
  EXPECT_EQ(ChangeText(requirements, *without.would_start_now), "with label spot allowed");
}

TEST(ChangeTextTest, SaysWithAndWithout) {
  Requirements from = OneSlot({NeedNamed("gpu")});
  from.excludes = {NeedNamed("spot")};
  from.resources = {.slots = 4, .cpu_millis = 4000, .memory_bytes = 8 * 1024 * kMebi, .disk_bytes = kMebi, .named = {{"fpga", 2}, {"licence", 3}}};
  Requirements to = OneSlot();
  to.resources = {.slots = 2, .cpu_millis = 500, .memory_bytes = 6 * 1024 * kMebi, .named = {{"licence", 1}}};
  EXPECT_EQ(ChangeText(from, to),
            "with 2 slots and cpu <= 0.5 and memory <= 6 GiB and resource licence <= 1 and label spot allowed, without disk and resource fpga and label gpu");
}

}  // namespace
}  // namespace muster::balancer
