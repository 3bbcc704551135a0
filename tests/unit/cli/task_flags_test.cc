#include "cli/task_flags.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "cli/command_line.h"
#include "cli/errors.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

std::string FileWith(const std::string& name, const std::string& content) {
  const std::string path = testing::TempDir() + "/" + name;
  std::ofstream(path) << content;
  return path;
}

TEST(TaskFlags, EachFlagFindsItsField) {
  TaskFlags flags;
  flags.name = "n";
  flags.priority = -5;
  flags.retries = 2;
  flags.retry_on = "1,75,100-102";
  flags.never_retry = "2,64";
  flags.retry_delay = "2s,1m";
  flags.run_timeout = absl::Seconds(90);
  flags.delay = absl::Minutes(1);
  flags.needs = {"gpu", "zone=a"};
  flags.avoids = {"spot", "zone=b"};
  flags.resources = {"license=2"};
  flags.memory_bytes = 1 << 20;
  flags.disk_bytes = int64_t{10} << 30;
  flags.labels = {"team=x"};
  flags.on_worker_loss = "rerun-after-fence";
  flags.environment = {"A=1", "B=x=y"};
  flags.limit_key = "user=ann";
  flags.limit = 3;
  flags.accept_exit = "0,3";
  flags.validate_output = "^ok$";
  flags.validate = "test -s out";
  flags.validate_timeout = absl::Seconds(5);
  flags.outputs = "version,digest";
  flags.no_network = true;
  const auto spec = flags.Build({"echo", "hi"}, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(spec->command().argv(), ElementsAre("echo", "hi"));
  EXPECT_EQ(spec->priority(), -5);
  EXPECT_EQ(spec->retry().max_attempts(), 3u);
  EXPECT_THAT(spec->retry().on_exit_codes(), ElementsAre(1, 75, 100, 101, 102));
  EXPECT_THAT(spec->retry().never_on_exit_codes(), ElementsAre(2, 64));
  EXPECT_EQ(spec->retry().base_delay().seconds(), 2);
  EXPECT_EQ(spec->retry().max_delay().seconds(), 60);
  EXPECT_EQ(spec->run_timeout().seconds(), 90);
  EXPECT_THAT(spec->validation().accepted_exit_codes(), ElementsAre(0, 3));
  EXPECT_THAT(spec->outputs(), ElementsAre("version", "digest"));
  EXPECT_EQ(spec->validation().output_pattern(), "^ok$");
  EXPECT_EQ(spec->isolation(), v1::ISOLATION_STRICT) << "no network is had there alone";
  EXPECT_TRUE(spec->no_network());
  EXPECT_EQ(spec->validation().command(), "test -s out");
  EXPECT_EQ(spec->validation().timeout().seconds(), 5);
  EXPECT_EQ(spec->start_time().seconds(), 1700000060);
  EXPECT_THAT(spec->requirements().needs(), ElementsAre("gpu", "zone=a"));
  EXPECT_THAT(spec->requirements().avoids(), ElementsAre("spot", "zone=b"));
  EXPECT_EQ(spec->limit_key(), "user=ann");
  EXPECT_EQ(spec->limit(), 3u);
  EXPECT_EQ(spec->requirements().resources(0).amount(), 2);
  EXPECT_EQ(spec->requirements().disk_bytes(), int64_t{10} << 30);
  EXPECT_EQ(spec->on_worker_loss(), v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE);
  EXPECT_EQ(spec->command().environment(1).value(), "x=y");
}

TEST(TaskFlags, WhatItWaitsForIsASelectorAndPerhapsACondition) {
  TaskFlags flags;
  flags.after = {"build", "4F/17:failure,last-2:any", "id:4F", "name:success", "name:success:success"};
  const auto spec = flags.Build({"x"}, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  std::vector<std::string> read;
  for (const v1::Dependency& one : spec->dependencies()) read.push_back(absl::StrCat(one.task(), " ", static_cast<int>(one.condition())));
  EXPECT_THAT(read, ElementsAre("build 0", "4F/17 2", "last-2 3", "id:4F 0", "name:success 0", "name:success 1"));
  flags.after = {"build:done"};
  EXPECT_THAT(std::string(flags.Build({"x"}, kNow).status().message()), HasSubstr("--after: 'done' is no condition"));
  for (const char* nothing : {"", ":any", "build,"}) {
    flags.after = {nothing};
    EXPECT_THAT(std::string(flags.Build({"x"}, kNow).status().message()), HasSubstr("--after: an empty selector")) << nothing;
  }
}

TEST(TaskFlags, SpreadAndPackAreOpposites) {
  TaskFlags flags;
  flags.spread = true;
  EXPECT_EQ(flags.Build({"x"}, kNow)->requirements().arrangement(), v1::ARRANGEMENT_SPREAD);
  flags.pack = true;
  EXPECT_EQ(flags.Build({"x"}, kNow).status().message(), "--spread and --pack are opposites; give one of them");
  flags.spread = false;
  EXPECT_EQ(flags.Build({"x"}, kNow)->requirements().arrangement(), v1::ARRANGEMENT_PACK);
}

TEST(TaskFlags, ALimitWithoutItsKeyIsAUsageError) {
  TaskFlags flags;
  flags.limit = 3;
  EXPECT_THAT(std::string(flags.Build({"a"}, kNow).status().message()), HasSubstr("--limit-key and --limit go together"));
  flags.limit_key = "user=ann";
  flags.limit = 0;
  EXPECT_THAT(std::string(flags.Build({"a"}, kNow).status().message()), HasSubstr("--limit: 0 is not within"));
}

TEST(TaskFlags, WhatIsNotGivenIsNotSet) {
  const auto spec = TaskFlags().Build({"a"}, kNow);
  EXPECT_FALSE(spec->has_priority());
  EXPECT_FALSE(spec->has_requirements());
  EXPECT_FALSE(spec->has_retry());
  EXPECT_FALSE(spec->has_run_timeout());
  EXPECT_EQ(spec->on_worker_loss(), v1::ON_WORKER_LOSS_UNSPECIFIED);
}

TEST(TaskFlags, OtherExecutorsGetTheWordsAsArguments) {
  TaskFlags flags;
  flags.executor = "noop";
  const auto spec = flags.BuildWhole({"a", "b"}, kNow);
  ASSERT_TRUE(spec.ok());
  EXPECT_FALSE(spec->has_command());
  EXPECT_THAT(spec->arguments(), ElementsAre("a", "b"));
  flags.executor = "noop";
  EXPECT_TRUE(flags.BuildWhole({}, kNow).ok()) << "a noop needs no words";
}

TEST(TaskFlags, AFlagReplacesWhatTheFileSaysAndIsNotAddedToIt) {
  TaskFlags flags;
  flags.file = FileWith("task.yaml", "command: {argv: [x], environment: [{name: A, value: '1'}]}\nrun_timeout: 1h\n"
                                     "retry: {on_exit_codes: [1, 2], max_delay: 5s}\nvalidation: {accepted_exit_codes: [0, 24]}\n");
  flags.run_timeout = absl::Milliseconds(500);
  flags.retry_on = "75";
  flags.accept_exit = "3";
  flags.environment = {"B=2"};
  const auto spec = flags.BuildWhole({}, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->run_timeout().seconds(), 0);
  EXPECT_EQ(spec->run_timeout().nanos(), 500'000'000);
  EXPECT_THAT(spec->retry().on_exit_codes(), ElementsAre(75));
  EXPECT_EQ(spec->retry().max_delay().seconds(), 5);
  EXPECT_THAT(spec->validation().accepted_exit_codes(), ElementsAre(3));
  EXPECT_EQ(spec->command().environment_size(), 2);
}

TEST(TaskFlags, AScriptIsSentAlong) {
  TaskFlags flags;
  flags.script = FileWith("job.sh", "#!/bin/sh\necho $1\n");
  const auto spec = flags.BuildWhole({"x"}, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->command().script().name(), "job.sh");
  EXPECT_EQ(spec->command().script().content(), "#!/bin/sh\necho $1\n");
  EXPECT_THAT(spec->command().argv(), ElementsAre("x"));
}

TEST(TaskFlags, EnvironmentFilesHaveLinesAndComments) {
  TaskFlags flags;
  flags.environment_files = {FileWith("env", "# a comment\nA=1\n\nB=two words\r\n")};
  const auto spec = flags.Build({"a"}, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  ASSERT_EQ(spec->command().environment_size(), 2);
  EXPECT_EQ(spec->command().environment(1).value(), "two words");
}

TEST(TaskFlags, FlagsGoOnTopOfAFile) {
  TaskFlags flags;
  flags.file = FileWith("task.yaml", "name: a\nqueue: slow\ncommand: {argv: [one]}\n");
  flags.queue = "fast";
  EXPECT_EQ(flags.BuildWhole({}, kNow)->queue(), "fast");
  EXPECT_EQ(flags.BuildWhole({}, kNow)->name(), "a");
  EXPECT_THAT(flags.BuildWhole({"two"}, kNow)->command().argv(), ElementsAre("two"));
}

TEST(TaskFlags, WrongValuesAreWrongUsageAndNameTheirFlag) {
  const auto refused = [](const std::function<void(TaskFlags*)>& set) {
    TaskFlags flags;
    set(&flags);
    const absl::Status status = flags.BuildWhole({"a"}, kNow).status();
    EXPECT_EQ(ExitCodeOf(status), kExitUsage) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](TaskFlags* f) { f->priority = 101; }), HasSubstr("--priority"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retries = -1; }), HasSubstr("--retries"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retries = 1000; }), HasSubstr("--retries: 1000 is not within 0..999"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->slots = 65537; }), HasSubstr("--slots: 65537 is not within 1..65536"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->cpu = 1e308; }), HasSubstr("--cpu: 1e+308 is not within 0..1e+06"));
  EXPECT_THAT(refused([](TaskFlags* f) {
                f->validate = "true";
                f->validate_timeout = absl::ZeroDuration();
              }),
              HasSubstr("left out, it is 60s"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retry_on = "1,x"; }), HasSubstr("--retry-on"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retry_on = "9-3"; }), HasSubstr("--retry-on"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->never_retry = "256"; }), HasSubstr("--never-retry: '256' is no exit code"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retry_on = "1-9", f->never_retry = "64,3"; }),
              HasSubstr("exit code 3 is in --retry-on and in --never-retry"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->accept_exit = "zero"; }), HasSubstr("--accept-exit"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->outputs = "version,"; }), HasSubstr("--outputs: '' is no name"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->outputs = "the-version"; }), HasSubstr("--outputs: 'the-version' is no name"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->validate_timeout = absl::Seconds(1); }), HasSubstr("--validate"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->retry_delay = "1m,1s"; }), HasSubstr("--retry-delay"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->resources = {"gpu"}; }), HasSubstr("--resource"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->environment = {"=x"}; }), HasSubstr("--env"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->stdin_file = "/no/such/file"; }), HasSubstr("--stdin"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->at = "soon"; }), HasSubstr("--at"));
  EXPECT_THAT(refused([](TaskFlags* f) { f->at = "+1s", f->delay = absl::Seconds(1); }), HasSubstr("--delay"));
}

TEST(TaskFlags, TooMuchStandardInputIsRefusedBeforeItIsSent) {
  TaskFlags flags;
  flags.stdin_file = FileWith("big", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(std::string(flags.Build({"a"}, kNow).status().message()), HasSubstr("larger than 1.0 MiB"));
}

TEST(TaskFlags, NothingToRunIsWrongUsage) {
  EXPECT_EQ(ExitCodeOf(TaskFlags().BuildWhole({}, kNow).status()), kExitUsage);
}

TEST(TaskFlags, AnArgumentThatIsNoTextIsRefused) {
  EXPECT_THAT(std::string(TaskFlags().Build({"a", "caf\xe9"}, kNow).status().message()), HasSubstr("argument 1 is not UTF-8"));
}

// The words of a command line, as far as the verbs.
absl::Status ParseWords(const std::vector<std::string>& words) {
  CommandLine line;
  return line.Parse(words).status();
}

TEST(CommandLine, TheCommandIsNotOursToRead) {
  EXPECT_TRUE(ParseWords({"run", "--name", "x", "--", "ls", "--color=never", "--nonsense"}).ok());
  EXPECT_TRUE(ParseWords({"run", "--name", "x", "ls", "-l", "--nonsense"}).ok()) << "the first word that is no flag begins it";
  EXPECT_TRUE(ParseWords({"run", "-eA=1", "-e", "B=2", "--shell", "ls", "-z"}).ok());
  EXPECT_TRUE(ParseWords({"--master", "h:1", "map", "-k", "echo", ":::", "--x", "-y"}).ok());
}

TEST(CommandLine, ValuesMayBeginWithADash) { EXPECT_TRUE(ParseWords({"run", "--priority", "-5", "--", "a"}).ok()); }

TEST(CommandLine, WrongUsageIsOneLineWithTheNextStep) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"rnu"},
                                                       {"run", "--nonsense", "--", "a"},
                                                       {"run", "--timeout", "-1s", "--", "a"},
                                                       {"run", "--timeout", "fast", "--", "a"},
                                                       {"wait"},
                                                       {"worker"},
                                                       {"worker", "sett", "w1"},
                                                       {"ps", "-o", "xml"},
                                                       {"get"}};
  for (const auto& words : wrong) {
    const absl::Status status = ParseWords(words);
    EXPECT_EQ(ExitCodeOf(status), kExitUsage) << testing::PrintToString(words);
    const std::string line = ErrorLine(status, "");
    EXPECT_THAT(line, HasSubstr("muster")) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  }
  EXPECT_THAT(ErrorLine(ParseWords({"rnu"}), ""), HasSubstr("did you mean `muster run`"));
}

TEST(CommandLine, EveryVerbOfTheContractIsThere) {
  CommandLine line;
  std::vector<std::string> names;
  for (const VerbOutline& verb : line.Outline().verbs) names.push_back(verb.name);
  EXPECT_THAT(names, testing::IsSupersetOf({"run", "submit", "map", "attach", "wait", "logs", "ps", "get", "cancel", "retry", "purge", "workers", "worker",
                                            "log", "simulate", "shutdown", "dev", "version", "completion"}));
}

}  // namespace
}  // namespace muster::cli
