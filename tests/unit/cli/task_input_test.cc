#include "cli/task_input.h"

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/errors.h"
#include "cli/output.h"
#include "cli/yaml.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What a reader finds in a text, as commands.
class Input {
 public:
  Input() { EXPECT_EQ(pipe(ends_), 0); }
  ~Input() {
    Close();
    close(ends_[0]);
  }
  Input& Write(const std::string& text) {
    EXPECT_EQ(write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return *this;
  }
  Input& Close() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
    return *this;
  }
  int fd() const { return ends_[0]; }

 private:
  int ends_[2];
};

std::vector<std::string> Programs(const std::string& text, absl::Status* status = nullptr) {
  Input input;
  input.Write(text).Close();
  TaskReader reader(input.fd(), "in");
  std::vector<std::string> programs;
  v1::TaskSpec spec;
  while (true) {
    const absl::StatusOr<bool> found = reader.Next(&spec);
    if (status != nullptr) *status = found.status();
    if (status == nullptr) {
      EXPECT_TRUE(found.ok()) << found.status();
    }
    if (!found.ok() || !*found) return programs;
    std::string all;
    for (const std::string& word : spec.command().argv()) all += (all.empty() ? "" : " ") + word;
    programs.push_back(all);
  }
}

TEST(TaskInput, JsonLines) {
  EXPECT_THAT(Programs("{\"command\":{\"argv\":[\"a\"]}}\n\n{\"command\":{\"argv\":[\"b\",\"{\\\"}\"]}}"), ElementsAre("a", "b {\"}"));
}

TEST(TaskInput, JsonOverManyLines) {
  EXPECT_THAT(Programs("{\n  \"command\": {\n \"argv\": [\"a\"] }\n}\n{\"command\":{\"argv\":[\"b\"]}}"), ElementsAre("a", "b"));
}

TEST(TaskInput, JsonLists) {
  EXPECT_THAT(Programs("[{\"command\":{\"argv\":[\"a\"]}}, {\"command\":{\"argv\":[\"b\"]}}]"), ElementsAre("a", "b"));
}

TEST(TaskInput, WhatTheApiWrapsIsUnwrapped) {
  EXPECT_THAT(Programs("{\"task\":{\"command\":{\"argv\":[\"a\"]}}}\n{\"tasks\":[{\"command\":{\"argv\":[\"b\"]}},{\"command\":{\"argv\":[\"c\"]}}]}\n"
                       "{\"id\":\"3F\",\"spec\":{\"command\":{\"argv\":[\"d\"]}},\"state\":\"TASK_STATE_FAILED\"}"),
              ElementsAre("a", "b", "c", "d"));
}

TEST(TaskInput, YamlDocumentsAndLists) {
  EXPECT_THAT(Programs("command: {argv: [a]}\n---\n- command: {argv: [b]}\n- command:\n    argv: [c, d]\n---\n"), ElementsAre("a", "b", "c d"));
}

TEST(TaskInput, YamlMayWrapToo) { EXPECT_THAT(Programs("tasks:\n- command: {argv: [sleep, 5]}\n"), ElementsAre("sleep 5")); }

TEST(TaskInput, ANumberInACommandIsText) {
  EXPECT_THAT(Programs("command:\n  argv: [sleep, 5, 0x10, true, 1.50]\n"), ElementsAre("sleep 5 0x10 true 1.50"));
}

TEST(TaskInput, YamlDurationsAreReadAsPeopleWriteThem) {
  Input input;
  input.Write("command: {argv: [a]}\nrun_timeout: 5m\nretry: {max_attempts: 3}\npriority: -5\n").Close();
  TaskReader reader(input.fd(), "in");
  v1::TaskSpec spec;
  ASSERT_TRUE(*reader.Next(&spec));
  EXPECT_EQ(spec.run_timeout().seconds(), 300);
  EXPECT_EQ(spec.retry().max_attempts(), 3u);
  EXPECT_EQ(spec.priority(), -5);
}

TEST(TaskInput, AliasesThatWouldFillTheMemoryAreRefused) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i <= 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1) + ", ";
    yaml += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) yaml += before;
    yaml += "x]\n";
  }
  absl::Status status;
  Programs(yaml, &status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("its aliases make it too large"));
}

TEST(TaskInput, AnAliasOfItselfIsRefused) {
  absl::Status status;
  Programs("command: &c {argv: *c}\n", &status);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nested too deeply"));
}

TEST(TaskInput, BytesThatAreNoYamlAreToldInOneLine) {
  absl::Status status;
  Programs(std::string("a: !\0\x01[b", 9), &status);
  EXPECT_FALSE(status.ok());
  for (const char c : std::string(status.message())) EXPECT_GE(static_cast<unsigned char>(c), ' ') << status;
}

TEST(TaskInput, AKeyThatYamlCannotReadIsShownAsJson) {
  const std::string json = "{\"" + std::string(2000, 'k') + "\":1}";
  EXPECT_EQ(JsonToYaml(json), json + "\n");
}

TEST(TaskInput, AnUnknownFieldIsRefusedWithItsLine) {
  absl::Status status;
  EXPECT_THAT(Programs("{\"command\":{\"argv\":[\"a\"]}}\n{\"comand\":{}}\n", &status), ElementsAre("a"));
  EXPECT_EQ(ExitCodeOf(status), kExitUsage);
  EXPECT_THAT(std::string(status.message()), HasSubstr("in:2:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("comand"));
}

TEST(TaskInput, BrokenInputIsRefused) {
  for (const char* text : {"{\"command\":", "{\"a\": nope}", "{} x", "[1]", "command: [", "just words"}) {
    absl::Status status;
    Programs(text, &status);
    EXPECT_EQ(ExitCodeOf(status), kExitUsage) << text;
  }
}

TEST(TaskInput, NothingIsNoTask) {
  EXPECT_TRUE(Programs("").empty());
  EXPECT_TRUE(Programs("\n\n").empty());
  EXPECT_TRUE(Programs("---\n").empty());
}

TEST(TaskInput, AnEndlessStreamIsReadTaskByTask) {
  Input input;
  TaskReader reader(input.fd(), "in");
  v1::TaskSpec spec;
  for (int i = 0; i < 100; ++i) {
    input.Write("{\"name\":\"t" + std::to_string(i) + "\"}\n");
    EXPECT_TRUE(reader.HasMoreNow());
    ASSERT_TRUE(*reader.Next(&spec));
    EXPECT_EQ(spec.name(), "t" + std::to_string(i));
    EXPECT_FALSE(reader.HasMoreNow()) << "nothing waits, a call should leave now";
  }
}

TEST(Yaml, WhatReadsAsAnotherTypeStaysQuoted) {
  EXPECT_EQ(JsonToYaml(R"({"argv":["echo","5","true","","a b"],"n":5,"empty":[],"none":{}})"),
            "argv:\n  - echo\n  - \"5\"\n  - \"true\"\n  - \"\"\n  - a b\nn: 5\nempty: []\nnone: {}\n");
}

TEST(Yaml, ATaskSurvivesTheWayThere) {
  v1::TaskSpec spec;
  for (const char* word : {"sh", "-c", "echo \"a: b\" # no comment\n\ttwo", "007", "no", "2026-01-31"}) spec.mutable_command()->add_argv(word);
  spec.mutable_run_timeout()->set_seconds(90);
  spec.mutable_command()->set_stdin(std::string("\x00\xff", 2));
  const absl::StatusOr<std::string> json = YamlToJson(ToYaml(spec), v1::TaskSpec::descriptor());
  ASSERT_TRUE(json.ok()) << json.status();
  Input input;
  input.Write(*json).Close();
  TaskReader reader(input.fd(), "in");
  v1::TaskSpec back;
  ASSERT_TRUE(*reader.Next(&back));
  EXPECT_EQ(back.SerializeAsString(), spec.SerializeAsString());
}

}  // namespace
}  // namespace muster::cli
