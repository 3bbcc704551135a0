#include "master/balancer/filters.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace muster::balancer {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

WorkerFacts Worker() {
  WorkerFacts worker;
  worker.id = WorkerId(1);
  worker.name = "w1";
  worker.state = WorkerState::kActive;
  worker.offer.capacity = {.slots = 4, .cpu_millis = 4000, .memory_bytes = int64_t{1} << 30, .disk_bytes = int64_t{8} << 30,
                           .named = {{"licence", 1}}};
  worker.offer.labels = {{"gpu", "a100"}, {"zone", "east"}};
  worker.offer.capabilities = {"docker"};
  worker.offer.executors = {
      ExecutorOffer{.name = "command", .capabilities = {"process"}},
      ExecutorOffer{.name = "http", .healthy = false, .reason = "no route", .capabilities = {"web"}}};
  return worker;
}

Requirements Asking(std::vector<Need> needs = {}) {
  return Requirements{.executor = "command", .needs = std::move(needs), .resources = {.slots = 1}};
}

Need Named(const std::string& name) { return Need{.name = name}; }
Need Valued(const std::string& name, const std::string& value) {
  return Need{.name = name, .value = value, .has_value = true};
}

TEST(ExecutorFilterTest, PassesAHealthyOneOnly) {
  EXPECT_FALSE(LacksExecutor(Worker().offer, "command").has_value());
  EXPECT_THAT(LacksExecutor(Worker().offer, "http"), Optional(HasSubstr("unhealthy: no route")));
  EXPECT_THAT(LacksExecutor(Worker().offer, "sql"), Optional(HasSubstr("does not offer executor sql")));
}

TEST(NeedsFilterTest, ANameIsALabelACapabilityOrAHealthyExecutorsCapability) {
  for (const char* name : {"gpu", "zone", "docker", "process"}) {
    EXPECT_FALSE(LacksNeed(Worker().offer, Named(name)).has_value()) << name;
  }
  for (const char* name : {"web", "a100", "command", ""}) {
    EXPECT_TRUE(LacksNeed(Worker().offer, Named(name)).has_value()) << name;
  }
}

TEST(NeedsFilterTest, ANameWithAValueIsALabelAlone) {
  EXPECT_FALSE(LacksNeed(Worker().offer, Valued("zone", "east")).has_value());
  EXPECT_THAT(LacksNeed(Worker().offer, Valued("zone", "west")), Optional(HasSubstr("zone=west")));
  EXPECT_TRUE(LacksNeed(Worker().offer, Valued("zone", "")).has_value());
  EXPECT_TRUE(LacksNeed(Worker().offer, Valued("docker", "")).has_value());
}

TEST(NeedsFilterTest, TheFirstMissingNeedIsNamed) {
  EXPECT_THAT(LacksNeeds(Worker().offer, Asking({Named("gpu"), Named("tpu"), Named("vpu")})),
              Optional(HasSubstr("tpu")));
}

TEST(ExcludesFilterTest, WhatWouldMeetANeedMakesAWorkerUnfit) {
  for (const char* name : {"gpu", "docker", "process"}) EXPECT_TRUE(HasExcluded(Worker().offer, Named(name)).has_value()) << name;
  EXPECT_EQ(HasExcluded(Worker().offer, Valued("zone", "east")), "has label zone=east, which the task avoids");
  for (const Need& absent : {Named("spot"), Named("web"), Valued("zone", "west"), Valued("docker", "")}) {
    EXPECT_FALSE(HasExcluded(Worker().offer, absent).has_value()) << NeedText(absent);
  }
}

TEST(ExcludesFilterTest, AMatchHasAllOfTheNeedsAndNoneOfTheExcluded) {
  Requirements requirements = Asking({Named("gpu")});
  requirements.excludes = {Named("spot"), Valued("zone", "west")};
  EXPECT_TRUE(MatchesStatically(Worker().offer, requirements));
  requirements.excludes.push_back(Named("docker"));
  EXPECT_FALSE(MatchesStatically(Worker().offer, requirements));
}

TEST(ResourcesFilterTest, TellsWhatCouldNeverFit) {
  WorkerFacts worker = Worker();
  worker.used = worker.offer.capacity;  // being full is not its matter
  EXPECT_FALSE(NeverFits(worker.offer, worker.offer.capacity).has_value());
  EXPECT_EQ(NeverFits(worker.offer, {.slots = 8}), "has 4 slots, 8 are asked for");
  EXPECT_THAT(NeverFits(worker.offer, {.slots = 1, .cpu_millis = 4001}), Optional(HasSubstr("cpu")));
  EXPECT_EQ(NeverFits(worker.offer, {.slots = 1, .memory_bytes = int64_t{2} << 30}),
            "has 1 GiB of memory, 2 GiB are asked for");
  EXPECT_EQ(NeverFits(worker.offer, {.slots = 1, .disk_bytes = int64_t{10} << 30}),
            "has 8 GiB of disk, 10 GiB are asked for");
  EXPECT_THAT(NeverFits(worker.offer, {.slots = 1, .named = {{"fpga", 1}}}), Optional(HasSubstr("fpga")));
}

TEST(RoomFilterTest, TellsWhatDoesNotFitNow) {
  WorkerFacts worker = Worker();
  EXPECT_FALSE(DoesNotFitNow(worker, {.slots = 4}).has_value());
  worker.used = {.slots = 3, .named = {{"licence", 1}}};
  EXPECT_FALSE(DoesNotFitNow(worker, {.slots = 1}).has_value());
  EXPECT_EQ(DoesNotFitNow(worker, {.slots = 2}), "has 1 slot free, 2 are asked for");
  EXPECT_THAT(DoesNotFitNow(worker, {.slots = 1, .named = {{"licence", 1}}}), Optional(HasSubstr("licence")));
  worker.used.disk_bytes = int64_t{6} << 30;
  EXPECT_EQ(DoesNotFitNow(worker, {.slots = 1, .disk_bytes = int64_t{4} << 30}), "has 2 GiB of disk free, 4 GiB are asked for");
  EXPECT_FALSE(DoesNotFitNow(worker, {.slots = 1}).has_value()) << "who asks for none is not counted";
  worker.used.slots = 4;
  EXPECT_EQ(DoesNotFitNow(worker, {.slots = 1}), "has none of its 4 slots free");
  worker.used.slots = 1;
  worker.slot_limit = 1;
  worker.limited_because = "one attempt at a time: it failed thrice";
  EXPECT_EQ(DoesNotFitNow(worker, {.slots = 1}), "takes one attempt at a time: it failed thrice");
}

TEST(StateFilterTest, OnlyAnActiveWorkerThatWantsWorkPasses) {
  WorkerFacts worker = Worker();
  EXPECT_FALSE(TakesNothing(worker).has_value());
  worker.takes_nothing_because = "disk is low";
  EXPECT_EQ(TakesNothing(worker), "takes nothing new: disk is low");
  worker.state = WorkerState::kSuspect;
  worker.takes_nothing_because = "no session";
  EXPECT_EQ(TakesNothing(worker), "is SUSPECT: no session");
  worker.state = WorkerState::kQuarantined;
  worker.takes_nothing_because = "fails everything";
  EXPECT_EQ(TakesNothing(worker), "is QUARANTINED: fails everything");
  worker.on_trial = true;
  EXPECT_FALSE(TakesNothing(worker).has_value());
}

TEST(AvoidFilterTest, OnlyTheWorkerThatFailedItIsAvoided) {
  EXPECT_FALSE(IsAvoided(Worker(), WorkerId()).has_value());
  EXPECT_FALSE(IsAvoided(Worker(), WorkerId(2)).has_value());
  EXPECT_TRUE(IsAvoided(Worker(), WorkerId(1)).has_value());
}

TEST(FirstRejectionTest, NamesTheFirstFilterThatFails) {
  WorkerFacts worker = Worker();
  EXPECT_FALSE(FirstRejection(worker, Asking({Named("gpu")}), WorkerId()).has_value());
  Requirements requirements = Asking({Named("tpu")});
  requirements.executor = "sql";
  requirements.resources.slots = 8;
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "executor");
  requirements.executor = "command";
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "needs");
  requirements.needs.clear();
  requirements.excludes = {Named("gpu")};
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "excludes");
  requirements.excludes.clear();
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "resources");
  requirements.resources.slots = 2;
  worker.used.slots = 3;
  worker.state = WorkerState::kDraining;
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "state");
  worker.state = WorkerState::kActive;
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "room");
  worker.used.slots = 0;
  EXPECT_EQ(FirstRejection(worker, requirements, WorkerId(1))->filter, "avoid");
}

}  // namespace
}  // namespace muster::balancer
