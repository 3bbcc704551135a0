// What a plugin that does not fit says, in one line each; and the guide's example, built and loaded.
#include "worker/execution/plugin_library.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/execution/recording_listener.h"

namespace muster::execution {
namespace {

std::string LoadError(const std::string& name, const std::string& path,
                      std::vector<std::pair<std::string, std::string>> settings = {}) {
  TemporaryDirectory directory;
  RecordingListener listener;
  HostConfig config;
  config.work_dir = directory.path();
  config.executors = {{name, path, std::move(settings)}};
  const auto host = ExecutionHost::Create(config, &listener);
  if (host.ok()) return "it loads";
  const std::string message(host.status().message());
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  return message;
}

TEST(PluginLibrary, AWrongAbiIsOneClearLine) {
  const std::string path = TestPlugin("wrong_abi");
  EXPECT_EQ(LoadError("x", path), "plugin " + path + ": made for ABI 7, this worker speaks 2; rebuild it");
}

TEST(PluginLibrary, AnotherCppLibraryIsNamed) {
  EXPECT_NE(LoadError("x", TestPlugin("wrong_library")).find("built with the C++ library libother-1"),
            std::string::npos);
}

TEST(PluginLibrary, AMissingFileIsNamed) {
  EXPECT_NE(LoadError("x", "/nowhere/x.so").find("/nowhere/x.so"), std::string::npos);
}

TEST(PluginLibrary, AnOrdinaryLibraryIsNotAPlugin) {
  EXPECT_NE(LoadError("x", "libz.so.1").find("it is not an executor plugin"), std::string::npos);
}

TEST(PluginLibrary, ACreateThatThrowsDoesNotTakeTheWorkerDown) {
  const std::string message = LoadError("x", TestPlugin("crashing"));
  EXPECT_NE(message.find("executor x"), std::string::npos);
  EXPECT_NE(message.find("does not start: no licence found"), std::string::npos);
}

TEST(PluginLibrary, ACreateThatGivesNothingIsAnErrorToo) {
  EXPECT_NE(LoadError("x", TestPlugin("crashing"), {{"quietly", "1"}}).find("create gave nothing"), std::string::npos);
}

TEST(PluginLibrary, ABadSettingOfCommandIsNamed) {
  EXPECT_NE(LoadError("command", "", {{"kill_tier", "sword"}}).find("kill_tier sword: unknown"), std::string::npos);
  EXPECT_NE(LoadError("command", "", {{"drain_ms", "-3"}}).find("drain_ms"), std::string::npos);
}

TEST(PluginLibrary, TheSameNameTwiceIsRefused) {
  TemporaryDirectory directory;
  RecordingListener listener;
  HostConfig config;
  config.work_dir = directory.path();
  config.executors = {{"greet", TestPlugin("greet"), {}}, {"greet", TestPlugin("greet"), {}}};
  const auto host = ExecutionHost::Create(config, &listener);
  ASSERT_FALSE(host.ok());
  EXPECT_NE(host.status().message().find("configured twice"), std::string::npos);
}

// A master refuses a worker whose offer it cannot read or hold: that must not be a plugin's to bring about.
TEST(PluginLibrary, WhatAMasterWouldNotTakeMakesThePluginUnhealthyAndNotTheWorker) {
  const std::pair<const char*, const char*> kinds[] = {{"many", "it has 300 capabilities; at most 256"},
                                                       {"long", "is not one line of 1 to 128 bytes of UTF-8"},
                                                       {"bytes", "its capability \"??\" is not one line"},
                                                       {"schema", "its parameter schema is not at most 65536 bytes"}};
  for (const auto& [says, why] : kinds) {
    HostFixture host([says = says](HostConfig* config) {
      config->executors = {{"talkative", TestPlugin("talkative"), {{"says", says}}}};
    });
    const ExecutorOffer offer = host.host().Executors().front();
    EXPECT_FALSE(offer.healthy) << says;
    EXPECT_NE(offer.reason.find(why), std::string::npos) << offer.reason;
    EXPECT_TRUE(offer.capabilities.empty() && offer.parameter_schema.empty()) << says;
  }
}

TEST(PluginLibrary, AReasonWithoutEndIsCutToALine) {
  HostFixture host([](HostConfig* config) {
    config->executors = {{"talkative", TestPlugin("talkative"), {{"says", "reason"}}}};
  });
  const ExecutorOffer offer = host.host().Executors().front();
  EXPECT_FALSE(offer.healthy);
  EXPECT_LE(offer.reason.size(), 1024u);
  EXPECT_EQ(offer.reason.find('\n'), std::string::npos);
}

TEST(PluginLibrary, AnExecutorWhoseNameIsNoNameIsRefused) {
  EXPECT_NE(LoadError("two words", TestPlugin("greet")).find("executor \"two words\""), std::string::npos);
}

TEST(PluginLibrary, TheExampleOfTheGuideGreets) {
  HostFixture host([](HostConfig* config) {
    config->executors = {{"greet", TestPlugin("greet"), {{"word", "Good day"}}}};
  });
  AttemptRequest request = host.Noop("{}");
  request.request.executor = "greet";
  request.request.arguments = {"Ada", "Grace"};
  const AttemptReportPtr report = host.Run(std::move(request));
  EXPECT_EQ(report->end.reason, EndReason::kExited);
  EXPECT_EQ(report->stdout_output.head, "Good day, Ada!\nGood day, Grace!\n");
}

TEST(PluginLibrary, TheShippedOnesNeedNoEntry) {
  HostFixture host;
  std::vector<std::string> names;
  for (const ExecutorOffer& offer : host.host().Executors()) names.push_back(offer.name);
  EXPECT_EQ(names, (std::vector<std::string>{"command", "noop"}));
}

}  // namespace
}  // namespace muster::execution
