#include "common/config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace muster::config {
namespace {

struct Sample {
  std::string listen;
  std::string balancer;
  int64_t slots = 0;
  absl::Duration lost_after;
  int64_t limit_bytes = 0;
  double cpu = 0;
  bool quiet = false;
  std::map<std::string, std::string> labels;
  std::vector<std::string> capabilities;
  std::vector<Entry> executors;
};

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : schema_("muster-sample", "A sample.", "MUSTERTEST") {
    schema_.Text("grpc.listen", &sample_.listen, "127.0.0.1:7070", "Where.");
    schema_.Choice("scheduler.balancer", &sample_.balancer, "least_loaded", {"least_loaded", "weighted"}, "Which.");
    schema_.Number("slots", &sample_.slots, 2, "How many.", {.least = 1, .most = 100});
    schema_.Time("workers.lost_after", &sample_.lost_after, absl::Seconds(30), "When.", {.least = 1});
    schema_.Size("store.limit", &sample_.limit_bytes, 64 << 20, "How much.");
    schema_.Real("cpu", &sample_.cpu, 1, "How fast.", {.least = 0, .most = 64});
    schema_.Flag("quiet", &sample_.quiet, false, "Whether.");
    schema_.Map("labels", &sample_.labels, "Labels.");
    schema_.List("capabilities", &sample_.capabilities, "Words.");
    schema_.Entries("executors", &sample_.executors, {"name", "path", "settings.*"}, "Plugins.");
  }

  absl::Status Load(std::vector<std::string> flags) {
    flags.insert(flags.begin(), "muster-sample");
    std::vector<const char*> argv;
    for (const std::string& flag : flags) argv.push_back(flag.c_str());
    return schema_.Load(static_cast<int>(argv.size()), argv.data(), "1").status();
  }

  std::string File(const std::string& content) {
    const std::string path = testing::TempDir() + "/config_test." + std::to_string(getpid()) + ".yaml";
    std::ofstream(path) << content;
    return path;
  }

  Sample sample_;
  Schema schema_;
};

TEST_F(ConfigTest, AFlagBeatsTheEnvironmentAndThatBeatsTheFile) {
  const std::string path = File("slots: 3\nworkers:\n  lost_after: 3s\nscheduler:\n  balancer: weighted\n");
  ::setenv("MUSTERTEST_WORKERS_LOST_AFTER", "4s", 1);
  ::setenv("MUSTERTEST_SLOTS", "4", 1);
  const absl::Status status = Load({"--config", path, "--slots=5"});
  ::unsetenv("MUSTERTEST_WORKERS_LOST_AFTER");
  ::unsetenv("MUSTERTEST_SLOTS");
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(sample_.slots, 5);
  EXPECT_EQ(sample_.lost_after, absl::Seconds(4));
  EXPECT_EQ(sample_.balancer, "weighted");
  EXPECT_EQ(sample_.listen, "127.0.0.1:7070");
  EXPECT_NE(schema_.Effective().find("workers.lost_after = 4s   # MUSTERTEST_WORKERS_LOST_AFTER"), std::string::npos);
  EXPECT_NE(schema_.Effective().find("slots = 5   # --slots"), std::string::npos);
}

TEST_F(ConfigTest, AnUnknownKeyIsRefusedWithItsPlaceAndTheNearestOne) {
  const std::string path = File("slots: 3\nscheduler:\n  balanser: weighted\n");
  const absl::Status status = Load({"--config", path});
  EXPECT_EQ(status.message(), path + ":3: unknown key scheduler.balanser; did you mean scheduler.balancer?");
}

TEST_F(ConfigTest, AWrongValueNamesFileLineKeyAndWhatWouldBeValid) {
  const std::string path = File("\nworkers: {lost_after: soon}\n");
  EXPECT_EQ(Load({"--config", path}).message(),
            path + ":2: workers.lost_after: \"soon\" is not a duration; write 500ms, 2s, 1m30s, 12h or 7d");
  EXPECT_EQ(Load({"--slots=0"}).message(),
            "--slots: slots: \"0\" is out of bounds; it must be at least 1 and at most 100");
  EXPECT_EQ(Load({"--scheduler.balancer=best"}).message(),
            "--scheduler.balancer: scheduler.balancer: \"best\" is not one of least_loaded, weighted");
}

TEST_F(ConfigTest, AFileThatIsNoYamlSaysWhere) {
  const std::string path = File("slots: 3\n  bad: [\n");
  const std::string message(Load({"--config", path}).message());
  EXPECT_EQ(message.rfind(path + ":", 0), 0u) << message;
}

TEST_F(ConfigTest, ListsMapsAndEntries) {
  const std::string path = File(
      "labels: {zone: a, gpu: \"1\"}\ncapabilities: [ffmpeg, cuda]\n"
      "executors:\n  - name: http\n    path: /x.so\n    settings: {proxy: none}\n");
  ASSERT_TRUE(Load({"--config", path}).ok());
  EXPECT_EQ(sample_.labels, (std::map<std::string, std::string>{{"gpu", "1"}, {"zone", "a"}}));
  EXPECT_EQ(sample_.capabilities, (std::vector<std::string>{"ffmpeg", "cuda"}));
  ASSERT_EQ(sample_.executors.size(), 1u);
  EXPECT_EQ(sample_.executors[0], (Entry{{"name", "http"}, {"path", "/x.so"}, {"settings.proxy", "none"}}));
}

TEST_F(ConfigTest, AnEntryWithAnUnknownKeyIsRefused) {
  const std::string path = File("executors:\n  - name: http\n    pth: /x.so\n");
  const std::string message(Load({"--config", path}).message());
  EXPECT_NE(message.find("unknown key pth in line 3"), std::string::npos) << message;
}

TEST_F(ConfigTest, WhatIsNoNumberIsNotWithinBounds) {
  for (const char* flag : {"--cpu=nan", "--cpu=inf", "--cpu=-nan"}) {
    EXPECT_NE(Load({flag}).message().find("is out of bounds; it must be at least 0 and at most 64"), std::string::npos)
        << flag;
  }
}

TEST_F(ConfigTest, AnEntryThatHoldsItselfIsRefused) {
  const std::string path = File("executors:\n- name: http\n  settings: &all {again: *all}\n");
  EXPECT_EQ(Load({"--config", path}).message(), path + ":1: executors: an entry has more than 1000 settings");
}

TEST_F(ConfigTest, AValueOfSeveralLinesIsShownInOne) {
  EXPECT_EQ(Load({"--slots=1\n2"}).message(), "--slots: slots: \"1\\n2\" is not a whole number");
  EXPECT_EQ(Load({"--a\nb=1"}).message().find('\n'), std::string::npos);
}

TEST_F(ConfigTest, AMissingFileIsOneClearLine) {
  EXPECT_EQ(Load({"--config", "/nonexistent.yaml"}).message(),
            "the configuration file: cannot read /nonexistent.yaml: No such file or directory");
}

TEST_F(ConfigTest, ADirectoryInPlaceOfAFileIsOneClearLineToo) {
  EXPECT_EQ(Load({"--config", "/"}).message(), "the configuration file: cannot read /: Is a directory");
}

TEST_F(ConfigTest, TheExampleFileAndTheTableNameEveryKey) {
  for (const char* key : {"listen: 127.0.0.1:7070", "balancer: least_loaded", "slots: 2", "limit: 64MiB"}) {
    EXPECT_NE(schema_.ExampleYaml().find(key), std::string::npos) << schema_.ExampleYaml();
  }
  EXPECT_NE(schema_.Markdown().find("| `grpc.listen` | text | `127.0.0.1:7070` | `MUSTERTEST_GRPC_LISTEN` | Where. |"),
            std::string::npos)
      << schema_.Markdown();
}

// What stands before the origins.
std::vector<std::string> Values(const std::string& effective) {
  std::vector<std::string> values;
  for (const auto line : absl::StrSplit(effective, '\n', absl::SkipEmpty())) {
    values.emplace_back(line.substr(0, line.find("   # ")));
  }
  return values;
}

TEST_F(ConfigTest, TheExampleFileWithoutItsHashesSaysWhatHoldsByDefault) {
  std::string certificate;
  int64_t calls = 0, memory_bytes = 0, low_water_bytes = 0;
  schema_.Text("serve.tls.certificate", &certificate, "", "Who.");
  schema_.Number("serve.max_calls", &calls, 7, "A key after a map in its map.");
  schema_.Size("memory", &memory_bytes, 0, "A value.");
  schema_.Size("memory.low_water", &low_water_bytes, 1 << 20, "And the name of another.");
  const std::vector<std::string> defaults = Values(schema_.Effective());

  std::vector<std::string> lines = absl::StrSplit(schema_.ExampleYaml(), '\n');
  lines.erase(lines.begin(), lines.begin() + 2);  // what it is
  for (std::string& line : lines) line = std::string(absl::StripPrefix(line, "# "));
  const std::string path = File(absl::StrJoin(lines, "\n"));
  ASSERT_EQ(Load({"--config", path}), absl::OkStatus()) << absl::StrJoin(lines, "\n");
  EXPECT_EQ(Values(schema_.Effective()), defaults);
  EXPECT_EQ(schema_.Effective().find("# default"), std::string::npos) << "it leaves out a key:\n" << schema_.Effective();
}

TEST(Units, DurationsAndSizes) {
  EXPECT_EQ(*ParseDuration("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("1.5"), absl::Milliseconds(1500));
  EXPECT_EQ(*ParseDuration("-2s"), absl::Seconds(-2));
  EXPECT_EQ(*ParseSize("64MiB"), 64 << 20);
  EXPECT_EQ(*ParseSize("10MB"), 10'000'000);
  for (const char* bad : {"", "s", "1x", "1s,2", "--1s", "nan", "inf"}) EXPECT_FALSE(ParseDuration(bad).ok()) << bad;
  for (const char* bad : {"", "-1", "1X", "9999999999999T", "nan"}) EXPECT_FALSE(ParseSize(bad).ok()) << bad;
}

}  // namespace
}  // namespace muster::config
