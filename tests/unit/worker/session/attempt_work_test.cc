#include "worker/session/attempt_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const Whereabouts kHere = {.worker = "w1", .master = "master:7070"};

const AttemptWork& WorkOf(const Assigned& assigned) { return *static_cast<const AttemptWork*>(assigned.work.get()); }

v1::Assignment* Assign(v1::SessionRequest* message, uint64_t task) {
  v1::Assignment* assignment = message->add_assignments();
  assignment->mutable_key()->set_task(task);
  assignment->mutable_key()->set_attempt(2);
  return assignment;
}

v1::TaskSpec Echo() {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("echo");
  spec.mutable_command()->add_argv("{.}");
  v1::EnvironmentVariable* variable = spec.mutable_command()->add_environment();
  variable->set_name("FILE");
  variable->set_value("in/{}");
  return spec;
}

TEST(AttemptWork, ABatchsArgumentsArePutInAndTheVariablesComeLast) {
  v1::SessionRequest message;
  message.add_specs(Echo().SerializeAsString());
  v1::Assignment* assignment = Assign(&message, 33);
  assignment->add_arguments("a.txt");
  assignment->set_batch_index(5);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  ASSERT_EQ(read.assigned.size(), 1u);
  const plugin::Request& request = WorkOf(read.assigned[0]).request;
  EXPECT_EQ(request.executor, "command");
  EXPECT_THAT(request.command.argv, ElementsAre("echo", "a"));
  EXPECT_THAT(request.command.environment,
              ElementsAre(Pair("FILE", "in/a.txt"), Pair("MUSTER_TASK_ID", "11"), Pair("MUSTER_ATTEMPT", "2"),
                          Pair("MUSTER_WORKER", "w1"), Pair("MUSTER_INDEX", "5")));
}

TEST(AttemptWork, AValidationIsReadAndABatchsArgumentsAreWordsOfItsLine) {
  v1::SessionRequest message;
  v1::TaskSpec spec = Echo();
  spec.mutable_validation()->add_accepted_exit_codes(3);
  spec.mutable_validation()->set_output_pattern("^{}$");
  spec.mutable_validation()->set_command("test -s {}");
  message.add_specs(spec.SerializeAsString());
  v1::Assignment* assignment = Assign(&message, 33);
  assignment->add_arguments("a; b");
  assignment->set_batch_index(5);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  const Validation& validation = WorkOf(read.assigned.at(0)).validation;
  EXPECT_THAT(validation.accepted_exit_codes, ElementsAre(3));
  EXPECT_EQ(validation.output_pattern, "^{}$") << "a pattern is no template: its braces are its own";
  EXPECT_EQ(validation.command, "test -s 'a; b'");
  EXPECT_EQ(validation.timeout, absl::Seconds(60));
}

TEST(AttemptWork, ATierIsReadAndOneOfTheFutureIsTheStrictest) {
  v1::TaskSpec spec = Echo();
  spec.mutable_requirements()->set_cpu(1.5);
  EXPECT_EQ(MakeDirectWork(spec, 1, kHere).request.isolation, plugin::Isolation::kPlain);
  EXPECT_EQ(MakeDirectWork(spec, 1, kHere).request.cpu_limit_millis, 1500);
  spec.set_isolation(v1::ISOLATION_LIMITED);
  EXPECT_EQ(MakeDirectWork(spec, 1, kHere).request.isolation, plugin::Isolation::kLimited);
  spec.set_isolation(static_cast<v1::Isolation>(9));
  spec.set_no_network(true);
  spec.mutable_requirements()->set_cpu(-1e300);
  const plugin::Request request = MakeDirectWork(spec, 1, kHere).request;
  EXPECT_EQ(request.isolation, plugin::Isolation::kStrict);
  EXPECT_TRUE(request.no_network);
  EXPECT_EQ(request.cpu_limit_millis, 0);
}

TEST(AttemptWork, OutputsOfOthersComeAfterTheTasksOwnAndBeforeOurs) {
  v1::SessionRequest message;
  message.add_specs(Echo().SerializeAsString());
  v1::Assignment* assignment = Assign(&message, 33);
  const auto variable = [assignment](const std::string& name, const std::string& value) {
    v1::NamedValue* added = assignment->add_variables();
    added->set_name(name);
    added->set_value(value);
  };
  variable("VERSION", "{} of {1}");
  variable("FILE", "theirs");
  variable("MUSTER_TASK_ID", "9");
  variable("MUSTER_MASTER", "elsewhere:1");
  variable("", "nameless");
  variable("A=B", "two in one");
  variable("NUL", std::string("a\0b", 3));
  assignment->add_arguments("a.txt");
  assignment->set_batch_index(5);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  EXPECT_THAT(WorkOf(read.assigned.at(0)).request.command.environment,
              ElementsAre(Pair("FILE", "in/a.txt"), Pair("VERSION", "{} of {1}"), Pair("FILE", "theirs"),
                          Pair("MUSTER_TASK_ID", "11"), Pair("MUSTER_ATTEMPT", "2"), Pair("MUSTER_WORKER", "w1"),
                          Pair("MUSTER_INDEX", "5")));
}

TEST(AttemptWork, ATaskOfAWorkflowLearnsOfItAndOfTheMaster) {
  v1::SessionRequest message;
  message.add_specs(Echo().SerializeAsString());
  v1::TaskSpec own = Echo();
  own.mutable_command()->mutable_environment(0)->set_name("MUSTER_MASTER");
  message.add_specs(own.SerializeAsString());
  Assign(&message, 33)->set_workflow_id("4F");
  Assign(&message, 34)->set_spec(1);
  message.mutable_assignments(1)->set_workflow_id("4F");
  Assign(&message, 35);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  const auto environment = [&read](size_t which) { return WorkOf(read.assigned.at(which)).request.command.environment; };
  EXPECT_THAT(environment(0), Contains(Pair("MUSTER_WORKFLOW", "4F")));
  EXPECT_THAT(environment(0), Contains(Pair("MUSTER_MASTER", "master:7070")));
  EXPECT_THAT(environment(1), Contains(Pair("MUSTER_WORKFLOW", "4F")));
  EXPECT_THAT(environment(1), Contains(Pair("MUSTER_MASTER", "in/{}"))) << "its own";
  EXPECT_THAT(environment(1), Not(Contains(Pair("MUSTER_MASTER", "master:7070"))));
  EXPECT_THAT(environment(2), Not(Contains(Pair("MUSTER_WORKFLOW", testing::_))));
  EXPECT_THAT(environment(2), Not(Contains(Pair("MUSTER_MASTER", testing::_))));
}

TEST(AttemptWork, OutputsAreOfSingleTasksOfTheExecutorCommand) {
  v1::SessionRequest message;
  v1::TaskSpec spec = Echo();
  spec.add_outputs("version");
  message.add_specs(spec.SerializeAsString());
  spec.set_executor("noop");
  message.add_specs(spec.SerializeAsString());
  Assign(&message, 1);
  Assign(&message, 2)->set_batch_index(1);
  Assign(&message, 3)->set_spec(1);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  EXPECT_THAT(WorkOf(read.assigned.at(0)).outputs, ElementsAre("version"));
  EXPECT_THAT(WorkOf(read.assigned.at(1)).outputs, IsEmpty());
  EXPECT_THAT(WorkOf(read.assigned.at(2)).outputs, IsEmpty());
}

TEST(AttemptWork, TasksOfOneSpecificationShareItsParsing) {
  v1::SessionRequest message;
  v1::TaskSpec spec;
  spec.set_executor("noop");
  spec.mutable_requirements()->set_slots(2);
  spec.set_on_worker_loss(v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE);
  (*spec.mutable_parameters()->mutable_fields())["n"].set_number_value(3);
  message.add_specs(spec.SerializeAsString());
  Assign(&message, 1);
  Assign(&message, 2)->mutable_run_timeout()->set_seconds(9);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  ASSERT_EQ(read.assigned.size(), 2u);
  EXPECT_EQ(read.assigned[1].slots, 2u);
  EXPECT_EQ(read.assigned[1].on_worker_loss, OnWorkerLoss::kRerunAfterFence);
  EXPECT_EQ(WorkOf(read.assigned[0]).request.parameters_json, "{\"n\":3}");
  EXPECT_EQ(WorkOf(read.assigned[0]).run_timeout, absl::InfiniteDuration());
  EXPECT_EQ(WorkOf(read.assigned[1]).run_timeout, absl::Seconds(9));
}

TEST(AttemptWork, WhatCannotBeReadIsBrokenAndSaysWhy) {
  v1::SessionRequest message;
  message.add_specs("\xff\xff\xff");
  Assign(&message, 1);
  Assign(&message, 2)->set_spec(7);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  ASSERT_EQ(read.assigned.size(), 2u);
  EXPECT_FALSE(WorkOf(read.assigned[0]).broken.empty());
  EXPECT_FALSE(WorkOf(read.assigned[1]).broken.empty());
}

TEST(AttemptWork, ImpossibleNamesAreLeftOut) {
  v1::SessionRequest message;
  message.add_specs(Echo().SerializeAsString());
  Assign(&message, 0);
  Assign(&message, uint64_t{1} << 63);
  const auto read = ReadAssignmentsOf(message, StreamId(1), kHere);
  EXPECT_THAT(read.assigned, IsEmpty());
  EXPECT_EQ(read.malformed, 2u);
}

TEST(AttemptWork, TheDeadlineIsTheMastersElseTheTimeoutFromTheStartOn) {
  AttemptWork work;
  work.run_timeout = absl::Seconds(10);
  SetDeadline(&work, absl::FromUnixSeconds(1000));
  EXPECT_THAT(work.request.command.environment, ElementsAre(Pair("MUSTER_DEADLINE", "1010")));
  AttemptWork told;
  told.deadline = absl::FromUnixSeconds(2000);
  SetDeadline(&told, absl::FromUnixSeconds(1000));
  EXPECT_THAT(told.request.command.environment, Contains(Pair("MUSTER_DEADLINE", "2000")));
  AttemptWork none;
  SetDeadline(&none, absl::FromUnixSeconds(1000));
  EXPECT_THAT(none.request.command.environment, IsEmpty());
}

TEST(AttemptWork, ADirectKeyIsNoClusterKey) {
  EXPECT_EQ(DirectOf(DirectKey(17)), 17u);
  EXPECT_FALSE(IsClusterKey(DirectKey(17)));
  EXPECT_FALSE(DirectOf({TaskId(17), AttemptNumber(1)}).has_value());
}

}  // namespace
}  // namespace muster::worker
