// Who is woken when something of the cluster is free: the right ones, in the right order, and no more than that; at last
// random histories against the contract.
#include "master/scheduler/resource_offers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace muster::scheduler {
namespace {

using Lack = ClusterResources::Lack;

constexpr absl::Time kMorning = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kLongWait = absl::Seconds(10);
const ClusterAmounts kOne{{"a", 1}}, kTwo{{"a", 2}};

struct Wish {
  ClusterAmounts amounts;
  std::string kind;  // a class of its own among those who ask for the same
  std::string queue = "q";
  int32_t priority = 0;
};

// A round as the core has it, with workers that always have room unless a test says otherwise.
class Desk {
 public:
  explicit Desk(std::map<std::string, int64_t> totals) : resources(std::move(totals), kLongWait) {}

  TaskId Submit(const Wish& wish) {
    const TaskId task(next_id_++);
    Queue(task, wish);
    return task;
  }
  void Queue(TaskId task, const Wish& wish) {
    ClassKey key;
    key.requirements.of_cluster = wish.amounts;
    key.limit_key = wish.kind;
    queues.Add(task, wish.queue, wish.priority, key, now);
    queued[task] = {wish, now - wish.priority * absl::Seconds(60)};
  }
  void End(TaskId task) {
    resources.Stop(task, running.at(task).amounts);
    running.erase(task);
  }
  void Cancel(TaskId task) {
    resources.Leave(task);
    queues.Remove(task);
    queued.erase(task);
  }

  std::optional<Lack> LackOf(TaskId task) const {
    const auto& [wish, order] = queued.at(task);
    return resources.LackOf({task, queues.ClassOf(task).value_or(ClassId()), order, wish.amounts}, now,
                            [this](TaskId other) { return MayStart(other); });
  }

  // The tasks that it started.
  std::vector<TaskId> Round() {
    std::vector<TaskId> started;
    offers.Begin(now);
    const auto lack_of = [this](TaskId task) { return LackOf(task); };
    while (true) {
      if (offers.due()) offers.Offer(lack_of);
      auto next = queues.Peek();
      while (!next && offers.Offer(lack_of)) next = queues.Peek();
      if (!next) return started;
      offers.LooksAt(next->cls);
      if (Look(*next)) started.push_back(next->task);
    }
  }

  ClusterResources resources;
  TaskQueues queues{absl::Seconds(60)};
  ResourceOffers offers{&queues, &resources};
  absl::Time now = kMorning;
  std::map<TaskId, std::pair<Wish, absl::Time>> queued;
  std::map<TaskId, Wish> running;
  std::set<std::string> closed_queues, held_kinds;
  std::function<bool()> has_room = [] { return true; };
  uint64_t looks = 0;

 private:
  bool MayStart(TaskId task) const {
    const Wish& wish = queued.at(task).first;
    return !closed_queues.contains(wish.queue) && !held_kinds.contains(wish.kind);
  }

  bool Look(const NextTask& next) {
    ++looks;
    const auto [wish, order] = queued.at(next.task);
    const ClusterResources::Asker asker{next.task, next.cls, order, wish.amounts};
    if (closed_queues.contains(wish.queue)) return queues.Block(wish.queue), false;
    if (held_kinds.contains(wish.kind)) return queues.Hold(next.cls), false;
    if (LackOf(next.task).has_value()) return resources.Wait(asker, now), queues.StandBy(next.cls), false;
    if (!has_room()) return queues.Park(next.cls), resources.StepOut(asker), false;
    offers.Placed();
    queues.Take(next.task);
    resources.Leave(next.task);
    resources.Start(next.task, wish.amounts);
    running[next.task] = wish;
    queued.erase(next.task);
    return true;
  }

  uint64_t next_id_ = 1;
};

TEST(ResourceOffersTest, APlacementCostsAsManyLooksWhetherTenClassesWaitForALicenceOrTenThousand) {
  for (const int classes : {10, 10'000}) {
    Desk desk({{"a", 1}});
    for (int i = 0; i < 2 * classes; ++i) desk.Submit({kOne, "user" + std::to_string(i % classes)});
    TaskId runs = desk.Round().at(0);
    desk.looks = 0;
    for (int placement = 0; placement < 8; ++placement) {
      desk.now += absl::Seconds(placement);  // also when they have waited for long
      desk.End(runs);
      const std::vector<TaskId> started = desk.Round();
      ASSERT_EQ(started.size(), 1u);
      ASSERT_EQ(started[0], TaskId(runs.value() + 1)) << "the oldest";
      runs = started[0];
    }
    EXPECT_LE(desk.looks, 2 * 8u) << classes << " classes: one that starts, and the next one of its class";
    uint64_t waiting = 0;
    desk.queues.VisitStandbys([&](const ClusterAmounts&, uint64_t tasks) { waiting += tasks; });
    EXPECT_EQ(waiting, 2u * static_cast<uint64_t>(classes) - 9) << "tasks, not classes";
  }
}

TEST(ResourceOffersTest, AsManyAreWokenAsFitAndNoMoreWhenOneThatHadNoneLeaves) {
  Desk desk({{"a", 3}});
  const TaskId first = desk.Submit({{{"a", 3}}, "wide"});
  for (int i = 0; i < 100; ++i) desk.Submit({kOne, "user" + std::to_string(i)});
  EXPECT_EQ(desk.Round().size(), 1u);
  desk.looks = 0;
  desk.Cancel(TaskId(50));
  EXPECT_TRUE(desk.Round().empty());
  EXPECT_EQ(desk.looks, 0u) << "nothing is free";
  desk.End(first);
  EXPECT_EQ(desk.Round(), (std::vector<TaskId>{TaskId(2), TaskId(3), TaskId(4)}));
  EXPECT_EQ(desk.looks, 3u);
}

TEST(ResourceOffersTest, OfManyQueuesTheOneWhoseTurnItIsIsAsked) {
  Desk desk({{"a", 1}});
  for (int i = 0; i < 300; ++i) desk.Submit({kOne, "user" + std::to_string(i), "q" + std::to_string(i % 100)});
  ASSERT_EQ(desk.Round().size(), 1u);
  desk.looks = 0;
  std::map<std::string, int> served;
  for (int i = 0; i < 100; ++i) {
    desk.End(desk.running.begin()->first);
    ASSERT_EQ(desk.Round().size(), 1u);
    ++served[desk.running.begin()->second.queue];
  }
  EXPECT_EQ(desk.looks, 100u);
  EXPECT_GE(served.size(), 99u);
}

TEST(ResourceOffersTest, WhoWasWokenAndWaitsForSomethingElseLetsTheNextOneHaveIt) {
  for (const std::string why : {"its key", "its queue", "no room", "cancelled"}) {
    SCOPED_TRACE(why);
    Desk desk({{"a", 1}});
    const TaskId runs = desk.Submit({kOne, "0"});
    const TaskId stuck = desk.Submit({kOne, "stuck", why == "its queue" ? "closed" : "q"});
    const TaskId next = desk.Submit({kOne, "2"});
    ASSERT_EQ(desk.Round().size(), 1u);
    if (why == "its key") desk.held_kinds.insert("stuck");
    if (why == "its queue") desk.closed_queues.insert("closed");
    if (why == "cancelled") desk.Cancel(stuck);
    if (why == "no room") desk.has_room = [asked = false]() mutable { return std::exchange(asked, true); };
    desk.End(runs);
    EXPECT_EQ(desk.Round(), std::vector<TaskId>{next});
  }
}

TEST(ResourceOffersTest, QueuesShareALicenceByTheirWeightsAlsoWhenAllOfOneAreOlder) {
  Desk desk({{"a", 1}});
  desk.queues.SetWeight("heavy", 3);
  for (int i = 0; i < 400; ++i) desk.Submit({kOne, "old" + std::to_string(i % 40), "light"});
  desk.now += absl::Seconds(1);
  for (int i = 0; i < 400; ++i) desk.Submit({kOne, "new" + std::to_string(i % 40), "heavy"});
  std::map<std::string, int> served;
  for (int i = 0; i < 400; ++i) {
    if (!desk.running.empty()) desk.End(desk.running.begin()->first);
    desk.Round();
    ++served[desk.running.begin()->second.queue];
  }
  EXPECT_NEAR(served["heavy"], 300, 2);
}

TEST(ResourceOffersTest, AMoreUrgentOneOfAClassThatStandsByIsTheFirstOfItsQueue) {
  Desk desk({{"a", 1}});
  const TaskId runs = desk.Submit({kOne, "0"});
  desk.Submit({kOne, "1"});
  desk.Submit({kOne, "2"});
  desk.Round();
  const TaskId urgent = desk.Submit({kOne, "2", "q", 9});
  EXPECT_TRUE(desk.Round().empty());
  desk.End(runs);
  EXPECT_EQ(desk.Round(), std::vector<TaskId>{urgent});
}

TEST(ResourceOffersTest, AClaimThatIsGoneWakesThoseItHeldBack) {
  Desk desk({{"a", 2}});
  const TaskId runs = desk.Submit({kOne, "0"});
  const TaskId wide = desk.Submit({kTwo, "wide", "x"});
  desk.Round();
  desk.now += kLongWait;
  const TaskId narrow = desk.Submit({kOne, "narrow"});
  EXPECT_TRUE(desk.Round().empty());
  EXPECT_EQ(desk.LackOf(narrow)->kept_for, wide);
  desk.looks = 0;
  EXPECT_TRUE(desk.Round().empty());
  EXPECT_EQ(desk.looks, 0u) << "nothing has changed";
  desk.closed_queues.insert("x");
  EXPECT_EQ(desk.Round(), std::vector<TaskId>{narrow});
  desk.closed_queues.clear();
  desk.End(runs);
  desk.End(narrow);
  EXPECT_EQ(desk.Round(), std::vector<TaskId>{wide});
}

// The claim's class has tasks in another queue, where one of some other class stands before them.
TEST(ResourceOffersTest, AClaimHoldsNobodyOfItsOwnClassBehindOneThatItHolds) {
  Desk desk({{"a", 2}});
  const TaskId runs = desk.Submit({kTwo, "0"});
  const TaskId claims = desk.Submit({kTwo, "alike", "x"});
  const TaskId other = desk.Submit({kTwo, "other", "y"});
  const TaskId mate = desk.Submit({kTwo, "alike", "y"});
  desk.Round();
  desk.now += kLongWait;
  desk.queues.Block("x");  // it has had its turn
  desk.End(runs);
  EXPECT_EQ(desk.LackOf(other)->kept_for, claims);
  EXPECT_EQ(desk.Round(), std::vector<TaskId>{mate});
}

// Tasks that want this and that come, start, end, are cancelled and find no worker at random, in queues that close and open,
// with keys that are held and let go. Never more is taken than there is, nobody who could start stands by, and everybody starts
// in the end.
TEST(ResourceOffersProperty, NeverMoreThanThereIsNobodyIsForgottenAndNobodyStarves) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    const auto below = [&random](uint64_t bound) { return random() % bound; };
    Desk desk({{"a", 4}, {"b", 3}});
    const uint64_t odds_of_no_room = seed % 2 == 0 ? 20 : 1'000'000;
    desk.has_room = [&] { return below(odds_of_no_room) != 0; };
    const auto any_of = [&](const auto& tasks) {
      return std::next(tasks.begin(), static_cast<std::ptrdiff_t>(below(tasks.size())))->first;
    };
    const auto submit = [&] {
      Wish wish;
      const int64_t most = below(8) == 0 ? 3 : 1;  // few are wide
      if (below(2) == 0) wish.amounts.emplace_back("a", 1 + static_cast<int64_t>(below(static_cast<uint64_t>(most))));
      if (wish.amounts.empty() || below(3) == 0) {
        wish.amounts.emplace_back("b", 1 + static_cast<int64_t>(below(static_cast<uint64_t>(most))));
      }
      wish.queue = std::string(1, static_cast<char>('x' + below(3)));
      wish.kind = absl::StrCat(below(5), seed % 3 == 0 ? "" : wish.queue);  // mostly a class is in one queue
      desk.Submit(wish);
    };
    const auto toggle = [&](std::set<std::string>* set, const std::string& name) {
      if (!set->insert(name).second) set->erase(name);
    };
    const auto wake = [&] {
      for (const std::string queue : {"x", "y", "z"}) {
        if (!desk.closed_queues.contains(queue)) desk.queues.Unblock(queue);
      }
      std::set<ClassId> held;
      for (const auto& [task, wish] : desk.queued) {
        if (!desk.held_kinds.contains(wish.first.kind)) held.insert(*desk.queues.ClassOf(task));
      }
      desk.queues.WakeAll();
      if (below(4) == 0) {
        for (const ClassId cls : held) desk.queues.Wake(cls);  // the keys' own doing: wakes also who stands by
      }
    };
    const auto check = [&] {
      desk.resources.CheckInvariants();
      desk.queues.CheckInvariants();
      for (const auto& status : desk.resources.All()) ASSERT_LE(status.used, status.total);
      desk.queues.VisitStandbys([&](const ClusterAmounts& amounts, uint64_t) {
        for (const NextTask& first : desk.queues.FirstOnStandby(amounts)) {
          ASSERT_TRUE(desk.LackOf(first.task).has_value() || seed % 3 == 0) << "task " << first.task.value() << " was forgotten";
        }
      });
    };
    for (int step = 0; step < 200; ++step) {
      desk.now += absl::Milliseconds(static_cast<int64_t>(below(2'000)));
      switch (below(10)) {
        case 0: case 1: case 2: case 3: submit(); break;
        case 4: if (!desk.queued.empty() && below(3) == 0) desk.Cancel(any_of(desk.queued)); break;
        case 5: toggle(&desk.closed_queues, std::string(1, static_cast<char>('x' + below(3)))); break;
        case 6: toggle(&desk.held_kinds, absl::StrCat(below(5), seed % 3 == 0 ? "" : "x")); break;
        default: if (!desk.running.empty()) desk.End(any_of(desk.running));
      }
      if (below(3) == 0) wake();
      desk.Round();
      check();
      if (testing::Test::HasFatalFailure()) return;
    }
    desk.closed_queues.clear();
    desk.held_kinds.clear();
    for (int rounds = 0; !desk.queued.empty() || !desk.running.empty(); ++rounds) {
      ASSERT_LT(rounds, 10'000) << desk.queued.size() << " still wait";
      desk.now += absl::Seconds(1);
      if (!desk.running.empty()) desk.End(desk.running.begin()->first);
      if (rounds == 0 || desk.running.empty()) wake();
      desk.Round();
      check();
    }
  }
}

}  // namespace
}  // namespace muster::scheduler
