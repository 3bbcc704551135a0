// Rules of a policy: who gets past them, who thinks to, and files that mean something else than they seem to.
#include "common/policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace muster::policy {
namespace {

using ::testing::HasSubstr;

constexpr char kRules[] = R"(
rules:
  - {name: operators, who: ["operator/*"], allow: true}
  - {name: no-shell, shell: true, deny: lines for a shell are for operators}
  - name: nights
    who: ["submitter/*"]
    queues: [nights, "batch-*"]
    programs: [/usr/bin/python3, "/opt/jobs/*"]
    environment: [LANG, "JOB_*"]
    most: {priority: 10, slots: 2, cpu: 4, memory: 8GiB, disk: 1GiB, run: 2h}
    allow: true
  - {name: sleepers, programs: [sleep], allow: true}
)";

Policy Rules() { return *Policy::Parse(kRules, "p.yaml"); }

v1::TaskSpec Task(const std::string& owner, const std::vector<std::string>& argv) {
  v1::TaskSpec task;
  task.set_owner(owner);
  for (const std::string& word : argv) task.mutable_command()->add_argv(word);
  return task;
}

v1::TaskSpec Night() {
  v1::TaskSpec task = Task("submitter/ann", {"/opt/jobs/sum", "7"});
  task.set_queue("batch-7");
  task.mutable_run_timeout()->set_seconds(3600);
  return task;
}

std::string Reason(const v1::TaskSpec& task) {
  const Verdict verdict = Rules().Judge(task);
  EXPECT_FALSE(verdict.allowed);
  return verdict.reason;
}

TEST(PolicyTest, TheFirstRuleThatSpeaksOfATaskDecides) {
  EXPECT_TRUE(Rules().Judge(Night()).allowed);
  EXPECT_EQ(Rules().Judge(Night()).rule, "nights");
  v1::TaskSpec shell = Task("operator/bob", {"rm -rf x"});
  shell.mutable_command()->set_shell(true);
  EXPECT_EQ(Rules().Judge(shell).rule, "operators");
  shell.set_owner("submitter/ann");
  EXPECT_EQ(Reason(shell), "rule no-shell of the policy: lines for a shell are for operators");
}

TEST(PolicyTest, WhatNoRuleSpeaksOfIsRefused) {
  EXPECT_EQ(Reason(Task("submitter/ann", {"/usr/bin/perl"})), "no rule of the policy allows submitter/ann to run /usr/bin/perl in queue default");
  v1::TaskSpec elsewhere = Night();
  elsewhere.set_queue("nights2");
  EXPECT_THAT(Reason(elsewhere), HasSubstr("in queue nights2"));
  v1::TaskSpec model = Task("submitter/ann", {});
  model.set_executor("model");
  EXPECT_THAT(Reason(model), HasSubstr("to run executor model"));
  EXPECT_FALSE(Policy::Parse("rules: []", "p")->Judge(Task("", {"true"})).allowed);
}

TEST(PolicyTest, AScriptOrAValidatingLineIsAsGoodAsAShell) {
  v1::TaskSpec script = Night();
  script.mutable_command()->mutable_script()->set_content("#!/bin/sh\nrm x");
  EXPECT_THAT(Reason(script), HasSubstr("no-shell"));
  v1::TaskSpec validated = Night();
  validated.mutable_validation()->set_command("rm x");
  EXPECT_THAT(Reason(validated), HasSubstr("no-shell"));
}

TEST(PolicyTest, AProgramThatARowFillsInIsNoneThatAListNames) {
  v1::TaskSpec filled = Night();
  *filled.mutable_command()->mutable_argv(0) = "/opt/jobs/{1}";
  EXPECT_THAT(Reason(filled), HasSubstr("no rule"));
  EXPECT_TRUE(Policy::Parse("rules: [{name: any, programs: ['*'], allow: true}]", "p")->Judge(filled).allowed);
}

TEST(PolicyTest, AWayUpOrARelativePathIsNoneThatAListNames) {
  for (const char* program : {"/opt/jobs/../../bin/sh", "/opt/jobs//sum", "/opt/jobs/./sum", "/opt/jobs/sum/", "opt/jobs/sum", "./sum"}) {
    v1::TaskSpec task = Night();
    *task.mutable_command()->mutable_argv(0) = program;
    EXPECT_THAT(Reason(task), HasSubstr("no rule")) << program;
  }
  v1::TaskSpec cut = Night();
  *cut.mutable_command()->mutable_argv(0) = std::string("/bin/sh\0/opt/jobs/sum", 21);
  EXPECT_FALSE(Policy::Parse("rules: [{name: any, programs: ['*/sum'], allow: true}]", "p")->Judge(cut).allowed);
}

TEST(PolicyTest, ARunOfAScheduleHasTheVariablesOfItsSchedule) {
  v1::TaskSpec task = Night();
  for (const char* name : {"MUSTER_SCHEDULE", "MUSTER_DUE_TIME", "MUSTER_EVENT", "MUSTER_EVENT_ID"}) task.mutable_command()->add_environment()->set_name(name);
  EXPECT_TRUE(Rules().Judge(task).allowed);
  task.mutable_command()->add_environment()->set_name("MUSTER_MASTER");
  EXPECT_FALSE(Rules().Judge(task).allowed);
}

TEST(PolicyTest, AVariableThatMakesAnotherProgramOfItIsRefused) {
  v1::TaskSpec task = Night();
  task.mutable_command()->add_environment()->set_name("JOB_DAY");
  EXPECT_TRUE(Rules().Judge(task).allowed);
  task.mutable_command()->add_environment()->set_name("LD_PRELOAD");
  EXPECT_EQ(Reason(task), "rule nights of the policy: what it allows sets no variable LD_PRELOAD; it allows LANG, JOB_*");
  v1::TaskSpec sleeper = Task("submitter/ann", {"sleep", "1"});
  EXPECT_TRUE(Rules().Judge(sleeper).allowed);
  sleeper.mutable_command()->add_environment()->set_name("PATH");
  EXPECT_EQ(Reason(sleeper), "rule sleepers of the policy: what it allows sets no variable PATH");
}

TEST(PolicyTest, WhatATaskAsksForHasItsBounds) {
  const auto refused = [](const std::function<void(v1::TaskSpec*)>& change) {
    v1::TaskSpec task = Night();
    change(&task);
    return Reason(task);
  };
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->set_priority(11); }), HasSubstr("a priority of at most 10, and this is 11"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_requirements()->set_slots(3); }), HasSubstr("at most 2 slots"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_requirements()->set_cpu(4.5); }), HasSubstr("at most 4 cores"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_requirements()->set_memory_bytes(int64_t{9} << 30); }), HasSubstr("bytes of memory"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_requirements()->set_disk_bytes(int64_t{2} << 30); }), HasSubstr("bytes of disk"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_run_timeout()->set_seconds(7201); }), HasSubstr("and this for longer"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->mutable_kill_grace()->set_seconds(7200); }), HasSubstr("its kill grace included"));
  EXPECT_THAT(refused([](v1::TaskSpec* task) { task->clear_run_timeout(); }), HasSubstr("give it a --timeout"));
}

TEST(PolicyTest, AStarStandsForAnyCharactersAndNothingElseIsSpecial) {
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_TRUE(MatchesPattern("a*c*", "abbcd"));
  EXPECT_TRUE(MatchesPattern("*.py", "x.py.py"));
  EXPECT_FALSE(MatchesPattern("a?c", "abc"));
  EXPECT_FALSE(MatchesPattern("a", "ab"));
  EXPECT_FALSE(MatchesPattern("", "a"));
  EXPECT_FALSE(MatchesPattern(std::string(200, '*') + "b", std::string(10'000, 'a')));
}

TEST(PolicyTest, AFileThatIsNotUnderstoodIsRefusedWithItsLine) {
  const auto error = [](const std::string& text) { return std::string(Policy::Parse(text, "p.yaml").status().message()); };
  EXPECT_EQ(error("rules:\n- {name: a, user: [x], allow: true}"),
            "p.yaml:2: 'user' is no key of a rule; there are allow, deny, environment, executors, most, name, programs, queues, shell, who");
  EXPECT_EQ(error("rules:\n- {name: a, allow: true}\n- {name: a, allow: true}"), "p.yaml:3: another rule has the name 'a', too");
  EXPECT_EQ(error("rules:\n- {allow: true}"), "p.yaml:2: the rule has no name; a refusal names its rule");
  EXPECT_EQ(error("rules:\n- {name: a}"), "p.yaml:2: rule 'a' must say either allow: true or deny: WHY");
  EXPECT_EQ(error("rules:\n- {name: a, allow: false}"), "p.yaml:2: rule 'a' must say either allow: true or deny: WHY");
  EXPECT_EQ(error("rules:\n- {name: a, deny: x, most: {cpu: 1}}"), "p.yaml:2: rule 'a' denies; environment and most are of rules that allow");
  EXPECT_EQ(error("rules:\n- {name: a, allow: true, allow: true}"), "p.yaml:2: allow is there twice; take one out");
  EXPECT_EQ(error("rules:\n- {name: a, allow: yes}"), "p.yaml:2: must be true or false");
  EXPECT_EQ(error("rules:\n- {name: a, allow: true, who: x}"), "p.yaml:2: must be a list, as in [batch, \"nightly-*\"]");
  EXPECT_EQ(error("rules:\n- {name: a, allow: true, most: {slots: many}}"), "p.yaml:2: must be a whole number");
  EXPECT_EQ(error("rules: {a: b}"), "p.yaml:1: rules must be a list");
  EXPECT_THAT(error("{}"), HasSubstr("write rules: [] to refuse everything"));
  EXPECT_THAT(error("rules: [\n"), HasSubstr("p.yaml:2: "));
  EXPECT_THAT(error("rules: []\n---\nrules: []\n"), HasSubstr("more than one document"));
  EXPECT_THAT(error(""), HasSubstr("a policy must be a map"));
}

}  // namespace
}  // namespace muster::policy
