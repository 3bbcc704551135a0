#include "master/request_handler/validate.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/refusal.h"

namespace muster::handler {
namespace {

v1::TaskSpec Good() {
  v1::TaskSpec spec;
  spec.mutable_command()->add_argv("echo");
  spec.mutable_command()->add_argv("hello");
  return spec;
}

absl::Status Check(const v1::TaskSpec& spec) {
  Violations violations;
  PatternCheck patterns;
  CheckSpec(spec, "task", TaskLimits(), &patterns, &violations);
  return violations.ToStatus();
}

TEST(Validate, AGoodTaskPasses) { EXPECT_TRUE(Check(Good()).ok()); }

struct Rule {
  const char* name;
  std::function<void(v1::TaskSpec*)> spoil;
  const char* reason;
  const char* field;
};

std::vector<Rule> Rules() {
  const auto environment = [](v1::TaskSpec* spec, const std::string& name, const std::string& value) {
    auto* variable = spec->mutable_command()->add_environment();
    variable->set_name(name);
    variable->set_value(value);
  };
  return {
      {"NoArgv", [](auto* s) { s->clear_command(); }, "NO_COMMAND", "task.command.argv"},
      {"ALimitOfNothing", [](auto* s) { s->set_limit(3); }, "BAD_LIMIT", "task.limit_key"},
      {"AKeyWithoutALimit", [](auto* s) { s->set_limit_key("user=ann"); }, "BAD_LIMIT", "task.limit"},
      {"ATierThatNobodyKnows", [](auto* s) { s->set_isolation(static_cast<v1::Isolation>(9)); }, "BAD_ISOLATION",
       "task.isolation"},
      {"ATierOfAnotherExecutor",
       [](auto* s) {
         s->clear_command();
         s->set_executor("noop");
         s->set_isolation(v1::ISOLATION_STRICT);
       },
       "BAD_ISOLATION", "task.isolation"},
      {"NoNetworkInALesserTier",
       [](auto* s) {
         s->set_isolation(v1::ISOLATION_LIMITED);
         s->set_no_network(true);
       },
       "BAD_ISOLATION", "task.no_network"},
      {"OutputsOfAnotherExecutor",
       [](auto* s) {
         s->clear_command();
         s->set_executor("noop");
         s->add_outputs("version");
       },
       "BAD_OUTPUTS", "task.outputs"},
      {"AnOutputTwice",
       [](auto* s) {
         s->add_outputs("version");
         s->add_outputs("version");
       },
       "BAD_OUTPUTS", "task.outputs[1]"},
      {"AnOutputThatIsNoVariable", [](auto* s) { s->add_outputs("the-version"); }, "BAD_OUTPUTS", "task.outputs[0]"},
      {"AnOutputWithoutAName", [](auto* s) { s->add_outputs(""); }, "BAD_OUTPUTS", "task.outputs[0]"},
      {"AnOutputWithALongName", [](auto* s) { s->add_outputs(std::string(129, 'n')); }, "BAD_OUTPUTS", "task.outputs[0]"},
      {"TooManyOutputs",
       [](auto* s) {
         for (int i = 0; i < 65; ++i) s->add_outputs("n" + std::to_string(i));
       },
       "BAD_OUTPUTS", "task.outputs"},
      {"AKeyWithASpace",
       [](auto* s) {
         s->set_limit_key("user ann");
         s->set_limit(1);
       },
       "BAD_LIMIT", "task.limit_key"},
      {"EmptyProgram", [](auto* s) { s->mutable_command()->set_argv(0, ""); }, "NO_COMMAND", "task.command.argv[0]"},
      {"EmptyScript", [](auto* s) { s->mutable_command()->mutable_script(); }, "NO_COMMAND",
       "task.command.script.content"},
      {"AParameterThatIsNothing",
       [](auto* s) {
         s->set_executor("noop");
         s->clear_command();
         (*s->mutable_parameters()->mutable_fields())["list"].mutable_list_value()->add_values();
       },
       "BAD_PARAMETERS", "task.parameters"},
      {"AParameterThatIsNoNumber",
       [](auto* s) {
         s->set_executor("noop");
         s->clear_command();
         (*s->mutable_parameters()->mutable_fields())["n"].set_number_value(std::numeric_limits<double>::infinity());
       },
       "BAD_PARAMETERS", "task.parameters"},
      {"TheSameResourceTwice",
       [](auto* s) {
         for (int i = 0; i < 2; ++i) {
           auto* resource = s->mutable_requirements()->add_resources();
           resource->set_name("gpu");
           resource->set_amount(1);
         }
       },
       "BAD_RESOURCES", "task.requirements.resources[1].name"},
      {"NulInAnArgument", [](auto* s) { s->mutable_command()->add_argv(std::string("a\0b", 3)); }, "NUL_BYTE",
       "task.command.argv[2]"},
      {"AnArgumentOf200KiB", [](auto* s) { s->mutable_command()->add_argv(std::string(200 << 10, 'x')); },
       "ARGUMENT_TOO_LONG", "task.command.argv[2]"},
      {"AnArgumentOneByteOverTheKernels",
       [](auto* s) { s->mutable_command()->add_argv(std::string(131072, 'x')); }, "ARGUMENT_TOO_LONG",
       "task.command.argv[2]"},
      {"AllArgumentsTogether",
       [](auto* s) { for (int i = 0; i < 20; ++i) s->mutable_command()->add_argv(std::string(100'000, 'x')); },
       "COMMAND_TOO_LONG", "task.command"},
      {"AShellLineIsOneArgument",
       [](auto* s) {
         s->mutable_command()->set_shell(true);
         for (int i = 0; i < 2; ++i) s->mutable_command()->add_argv(std::string(100'000, 'x'));
       },
       "ARGUMENT_TOO_LONG", "task.command.argv"},
      {"ShellAndScript",
       [](auto* s) {
         s->mutable_command()->set_shell(true);
         s->mutable_command()->mutable_script()->set_content("#!/bin/sh\n");
       },
       "BAD_VALUE", "task.command.shell"},
      {"StdinOverAMebibyte", [](auto* s) { s->mutable_command()->set_stdin(std::string((1 << 20) + 1, 'x')); },
       "INPUT_TOO_LONG", "task.command.stdin"},
      {"ScriptOverAMebibyte",
       [](auto* s) { s->mutable_command()->mutable_script()->set_content(std::string((1 << 20) + 1, 'x')); },
       "INPUT_TOO_LONG", "task.command.script.content"},
      {"ScriptNameThatIsAPath",
       [](auto* s) {
         s->mutable_command()->mutable_script()->set_content("#!/bin/sh\n");
         s->mutable_command()->mutable_script()->set_name("../evil");
       },
       "BAD_NAME", "task.command.script.name"},
      {"NameWithSpaces", [](auto* s) { s->set_name("my task"); }, "BAD_NAME", "task.name"},
      {"NameTooLong", [](auto* s) { s->set_name(std::string(129, 'n')); }, "BAD_NAME", "task.name"},
      {"QueueWithSlash", [](auto* s) { s->set_queue("a/b"); }, "BAD_NAME", "task.queue"},
      {"OwnerWithNewline", [](auto* s) { s->set_owner("me\nroot"); }, "BAD_OWNER", "task.owner"},
      {"PriorityTooHigh", [](auto* s) { s->set_priority(101); }, "BAD_PRIORITY", "task.priority"},
      {"PriorityTooLow", [](auto* s) { s->set_priority(-101); }, "BAD_PRIORITY", "task.priority"},
      {"ExecutorWithDots", [](auto* s) { s->set_executor("../../lib/evil"); }, "BAD_NAME", "task.executor"},
      {"ParametersForCommand", [](auto* s) { s->mutable_parameters(); }, "BAD_PARAMETERS", "task.parameters"},
      {"ArgumentsForCommand", [](auto* s) { s->add_arguments("x"); }, "BAD_PARAMETERS", "task.arguments"},
      {"NegativeTimeout", [](auto* s) { s->mutable_run_timeout()->set_seconds(-1); }, "BAD_DURATION",
       "task.run_timeout"},
      {"ZeroTimeout", [](auto* s) { s->mutable_run_timeout(); }, "BAD_DURATION", "task.run_timeout"},
      {"TimeoutOutOfRange", [](auto* s) { s->mutable_queue_timeout()->set_seconds(int64_t{1} << 60); },
       "BAD_DURATION", "task.queue_timeout"},
      {"DurationOfMixedSigns",
       [](auto* s) {
         s->mutable_kill_grace()->set_seconds(1);
         s->mutable_kill_grace()->set_nanos(-1);
       },
       "BAD_DURATION", "task.kill_grace"},
      {"StartTimeBefore1970", [](auto* s) { s->mutable_start_time()->set_seconds(-5); }, "BAD_TIME",
       "task.start_time"},
      {"EmptyEnvironmentName", [&](auto* s) { environment(s, "", "x"); }, "BAD_ENVIRONMENT",
       "task.command.environment[0].name"},
      {"EnvironmentNameWithEquals", [&](auto* s) { environment(s, "A=B", "x"); }, "BAD_ENVIRONMENT",
       "task.command.environment[0].name"},
      {"NulInAnEnvironmentValue", [&](auto* s) { environment(s, "A", std::string("x\0", 2)); }, "NUL_BYTE",
       "task.command.environment[0].value"},
      {"TooManyAttempts", [](auto* s) { s->mutable_retry()->set_max_attempts(100'000); }, "BAD_ATTEMPTS",
       "task.retry.max_attempts"},
      {"AnExitCodeThatIsNone", [](auto* s) { s->mutable_retry()->add_on_exit_codes(256); }, "BAD_ATTEMPTS",
       "task.retry.on_exit_codes[0]"},
      {"ACodeThatIsNoneAmongThoseNeverToRetry", [](auto* s) { s->mutable_retry()->add_never_on_exit_codes(-1); },
       "BAD_ATTEMPTS", "task.retry.never_on_exit_codes[0]"},
      {"AnAcceptedCodeThatIsNone", [](auto* s) { s->mutable_validation()->add_accepted_exit_codes(256); },
       "BAD_VALIDATION", "task.validation.accepted_exit_codes[0]"},
      {"APatternThatIsNone", [](auto* s) { s->mutable_validation()->set_output_pattern("("); }, "BAD_VALIDATION",
       "task.validation.output_pattern"},
      {"NulInAValidation", [](auto* s) { s->mutable_validation()->set_command(std::string("x\0", 2)); }, "NUL_BYTE",
       "task.validation.command"},
      {"ATimeoutOfNoValidation", [](auto* s) { s->mutable_validation()->mutable_timeout()->set_seconds(5); },
       "BAD_VALIDATION", "task.validation.timeout"},
      {"AValidationThatMayNotTakeAnyTime",
       [](auto* s) {
         s->mutable_validation()->set_command("true");
         s->mutable_validation()->mutable_timeout();
       },
       "BAD_DURATION", "task.validation.timeout"},
      {"ACodeThatIsToBeRetriedAndNever",
       [](auto* s) {
         s->mutable_retry()->add_on_exit_codes(75);
         s->mutable_retry()->add_never_on_exit_codes(75);
       },
       "BAD_ATTEMPTS", "task.retry.never_on_exit_codes"},
      {"NegativeRetryDelay", [](auto* s) { s->mutable_retry()->mutable_base_delay()->set_nanos(-1); }, "BAD_DURATION",
       "task.retry.base_delay"},
      {"TooManyWorkerLosses", [](auto* s) { s->set_max_worker_losses(5000); }, "BAD_ATTEMPTS",
       "task.max_worker_losses"},
      {"TooManySlots", [](auto* s) { s->mutable_requirements()->set_slots(1 << 20); }, "BAD_RESOURCES",
       "task.requirements.slots"},
      {"NegativeCpu", [](auto* s) { s->mutable_requirements()->set_cpu(-0.5); }, "BAD_RESOURCES",
       "task.requirements.cpu"},
      {"CpuThatIsNoNumber",
       [](auto* s) { s->mutable_requirements()->set_cpu(std::numeric_limits<double>::quiet_NaN()); },
       "BAD_RESOURCES", "task.requirements.cpu"},
      {"NegativeMemory", [](auto* s) { s->mutable_requirements()->set_memory_bytes(-1); }, "BAD_RESOURCES",
       "task.requirements.memory_bytes"},
      {"AnArrangementOfTheFuture",
       [](auto* s) { s->mutable_requirements()->set_arrangement(static_cast<v1::Arrangement>(77)); }, "BAD_VALUE",
       "task.requirements.arrangement"},
      {"NegativeDisk", [](auto* s) { s->mutable_requirements()->set_disk_bytes(-1); }, "BAD_RESOURCES",
       "task.requirements.disk_bytes"},
      {"NegativeResource",
       [](auto* s) {
         s->mutable_requirements()->add_resources()->set_name("gpu");
         s->mutable_requirements()->mutable_resources(0)->set_amount(-1);
       },
       "BAD_RESOURCES", "task.requirements.resources[0].amount"},
      {"NeedWithoutAName", [](auto* s) { s->mutable_requirements()->add_needs("=x"); }, "BAD_NEED",
       "task.requirements.needs[0]"},
      {"AnAvoidedLabelWithoutAName", [](auto* s) { s->mutable_requirements()->add_avoids("=x"); }, "BAD_NEED",
       "task.requirements.avoids[0]"},
      {"TooManyAvoidedLabels", [](auto* s) { for (int i = 0; i < 65; ++i) s->mutable_requirements()->add_avoids("k"); },
       "BAD_NEED", "task.requirements.avoids"},
      {"NeededAndAvoided",
       [](auto* s) {
         s->mutable_requirements()->add_needs("zone=a");
         s->mutable_requirements()->add_avoids("zone=a");
       },
       "BAD_NEED", "task.requirements.needs[0]"},
      {"NeededWithAValueAndAvoidedWithAny",
       [](auto* s) {
         s->mutable_requirements()->add_needs("zone=a");
         s->mutable_requirements()->add_avoids("zone");
       },
       "BAD_NEED", "task.requirements.needs[0]"},
      {"LabelWithoutAKey", [](auto* s) { s->add_labels()->set_value("x"); }, "BAD_LABEL", "task.labels[0].key"},
      {"TooManyLabels", [](auto* s) { for (int i = 0; i < 65; ++i) s->add_labels()->set_key("k"); }, "BAD_LABEL",
       "task.labels"},
      {"RelativeDirectory", [](auto* s) { s->mutable_command()->set_working_directory("tmp"); }, "BAD_DIRECTORY",
       "task.command.working_directory"},
      {"DirectoryWithNul",
       [](auto* s) { s->mutable_command()->set_working_directory(std::string("/tmp\0/x", 7)); }, "BAD_DIRECTORY",
       "task.command.working_directory"},
      {"AModeOfTheFuture", [](auto* s) { s->set_on_worker_loss(static_cast<v1::OnWorkerLoss>(77)); }, "BAD_VALUE",
       "task.on_worker_loss"},
  };
}

TEST(Validate, EveryRuleNamesItsFieldAndItsReason) {
  for (const Rule& rule : Rules()) {
    SCOPED_TRACE(rule.name);
    v1::TaskSpec spec = Good();
    rule.spoil(&spec);
    const absl::Status status = Check(spec);
    ASSERT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(ReasonOf(status), rule.reason);
    const auto violations = ViolationsOf(status);
    ASSERT_EQ(violations.size(), 1u) << status;
    EXPECT_EQ(violations[0].field, rule.field);
    EXPECT_FALSE(violations[0].description.empty());
    EXPECT_EQ(status.message().find('\n'), absl::string_view::npos) << "one line for a person";
  }
}

TEST(Validate, AsManyOutputsAsThereMayBePass) {
  v1::TaskSpec spec = Good();
  for (int i = 0; i < 64; ++i) spec.add_outputs("n" + std::to_string(i));
  spec.set_outputs(0, std::string(128, 'n'));
  EXPECT_TRUE(Check(spec).ok()) << Check(spec);
}

TEST(Validate, OneValueOfANeededLabelMayBeAvoided) {
  v1::TaskSpec spec = Good();
  spec.mutable_requirements()->add_needs("zone");
  spec.mutable_requirements()->add_avoids("zone=b");
  EXPECT_TRUE(Check(spec).ok()) << Check(spec);
}

TEST(Validate, AllViolationsAreToldNotOnlyTheFirst) {
  v1::TaskSpec spec = Good();
  spec.set_priority(1000);
  spec.set_name("a b");
  spec.mutable_run_timeout()->set_seconds(-1);
  EXPECT_EQ(ViolationsOf(Check(spec)).size(), 3u);
}

TEST(Validate, WhatIsTooManyToTellIsCutOff) {
  v1::TaskSpec spec = Good();
  for (int i = 0; i < 1000; ++i) spec.mutable_command()->add_argv(std::string(1, '\0'));
  EXPECT_LE(ViolationsOf(Check(spec)).size(), 32u);
}

TEST(Validate, TheLongestAllowedArgumentPasses) {
  v1::TaskSpec spec = Good();
  spec.mutable_command()->add_argv(std::string(131071, 'x'));
  EXPECT_TRUE(Check(spec).ok());
}

TEST(Validate, AnotherExecutorNeedsNoCommand) {
  v1::TaskSpec spec;
  spec.set_executor("noop");
  spec.add_arguments("x");
  spec.mutable_parameters();
  EXPECT_TRUE(Check(spec).ok()) << Check(spec);
}

TEST(Validate, AScriptNeedsNoArguments) {
  v1::TaskSpec spec;
  spec.mutable_command()->mutable_script()->set_content("#!/bin/sh\necho\n");
  EXPECT_TRUE(Check(spec).ok()) << Check(spec);
}

TEST(Validate, AMissingOwnerBecomesUnknown) {
  v1::TaskSpec spec = Good();
  const TaskSpecPtr accepted = AcceptSpec(&spec);
  EXPECT_EQ(accepted->owner, "unknown");
  v1::TaskSpec stored;
  ASSERT_TRUE(stored.ParseFromString(accepted->payload));
  EXPECT_EQ(stored.owner(), "unknown");
}

TEST(Validate, TheDigestIsOfTheContentAndNotOfTheRequestId) {
  v1::SubmitRequest request;
  *request.mutable_task() = Good();
  request.set_request_id("a");
  v1::SubmitRequest again = request;
  again.set_request_id("b");
  EXPECT_EQ(DigestOf(request), DigestOf(again));
  again.mutable_task()->set_owner("somebody@else");
  EXPECT_NE(DigestOf(request), DigestOf(again));
}

v1::SubmitBatchRequest Batch(std::vector<std::vector<std::string>> rows, std::vector<std::string> argv) {
  v1::SubmitBatchRequest request;
  for (const auto& argument : argv) request.mutable_template_()->mutable_command()->add_argv(argument);
  for (const auto& row : rows) {
    auto* to = request.add_rows();
    for (const auto& value : row) to->add_values(value);
  }
  return request;
}

absl::Status Rows(const v1::SubmitBatchRequest& request, TaskLimits limits = {}) {
  Violations violations;
  CheckRows(request, limits, &violations);
  return violations.ToStatus();
}

TEST(ValidateRows, GoodRowsPass) { EXPECT_TRUE(Rows(Batch({{"a"}, {"b"}, {}}, {"echo", "{}"})).ok()); }

TEST(ValidateRows, ABatchWithoutRowsIsRefused) { EXPECT_EQ(ReasonOf(Rows(Batch({}, {"echo"}))), "BAD_ROWS"); }

TEST(ValidateRows, MoreRowsThanTheLimitAreRefused) {
  TaskLimits limits;
  limits.rows = 2;
  EXPECT_EQ(ReasonOf(Rows(Batch({{"a"}, {"b"}, {"c"}}, {"echo"}), limits)), "BAD_ROWS");
}

TEST(ValidateRows, NulInARowNamesTheValue) {
  const absl::Status status = Rows(Batch({{"a"}, {"b", std::string("\0", 1)}}, {"echo", "{}"}));
  ASSERT_EQ(ReasonOf(status), "NUL_BYTE");
  EXPECT_EQ(ViolationsOf(status)[0].field, "rows[1].values[1]");
}

TEST(ValidateRows, ARowThatMakesTooLongAnArgumentIsRefusedThoughEachPartIsShort) {
  const std::string half(100'000, 'x');
  EXPECT_TRUE(Rows(Batch({{half}}, {"echo", "{}"})).ok());
  EXPECT_EQ(ReasonOf(Rows(Batch({{half}}, {"echo", "{}{}"}))), "ARGUMENT_TOO_LONG");
}

TEST(ValidateRows, AShellLineGrowsByItsQuotes) {
  v1::SubmitBatchRequest request = Batch({{std::string(40'000, '\'')}}, {"echo {}"});
  EXPECT_TRUE(Rows(request).ok());
  request.mutable_template_()->mutable_command()->set_shell(true);
  EXPECT_EQ(ReasonOf(Rows(request)), "ARGUMENT_TOO_LONG");
}

TEST(ValidateRows, AShellLineIsOneArgumentAlsoWhenItsWordsAreShort) {
  v1::SubmitBatchRequest request = Batch({{std::string(90'000, 'x')}}, {"echo", "{}", "{}"});
  EXPECT_TRUE(Rows(request).ok());
  request.mutable_template_()->mutable_command()->set_shell(true);
  EXPECT_EQ(ReasonOf(Rows(request)), "ARGUMENT_TOO_LONG");
}

TEST(ValidateRows, AVariableThatARowMakesTooLongIsRefused) {
  v1::SubmitBatchRequest request = Batch({{std::string(90'000, 'x')}}, {"echo"});
  auto* variable = request.mutable_template_()->mutable_command()->add_environment();
  variable->set_name("X");
  variable->set_value("{}");
  EXPECT_TRUE(Rows(request).ok());
  variable->set_value("{}{}");
  EXPECT_EQ(ReasonOf(Rows(request)), "ARGUMENT_TOO_LONG");
}

TEST(ValidateRows, ABatchHasNoOutputs) {
  v1::SubmitBatchRequest request = Batch({{"a"}}, {"echo", "{}"});
  request.mutable_template_()->add_outputs("version");
  EXPECT_EQ(ReasonOf(Rows(request)), "BAD_OUTPUTS");
  EXPECT_EQ(ViolationsOf(Rows(request)).at(0).field, "template.outputs");
}

TEST(ValidateRows, TheValuesAreTakenInOrder) {
  v1::SubmitBatchRequest request = Batch({{"a", "b"}, {"c"}}, {"echo"});
  const ArgumentRowsPtr rows = MakeRows(&request);
  EXPECT_EQ(*rows, (ArgumentRows{{"a", "b"}, {"c"}}));
}

}  // namespace
}  // namespace muster::handler
