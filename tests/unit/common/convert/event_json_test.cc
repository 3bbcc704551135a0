#include "common/convert/event_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace muster::convert {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::map<std::string, std::string> ParametersOf(const std::string& text) {
  v1::SendEventRequest event;
  const absl::Status status = ReadEventJson("body", text, &event);
  EXPECT_TRUE(status.ok()) << status;
  return {event.parameters().begin(), event.parameters().end()};
}

std::string RefusalOf(const std::string& text) {
  v1::SendEventRequest event;
  return std::string(ReadEventJson("body", text, &event).message());
}

TEST(EventJsonTest, TextsAreTakenAndWhatIsNoneStaysItsJson) {
  EXPECT_THAT(ParametersOf(R"({"parameters": {"branch": "a\"b", "build": 12345678901234567890, "rate": 1.50, "dry": false}})"),
              ElementsAre(Pair("branch", "a\"b"), Pair("build", "12345678901234567890"), Pair("dry", "false"), Pair("rate", "1.50")));
  EXPECT_THAT(ParametersOf(R"({"parameters": {"list": [1, {"a": null}], "none": null}})"), ElementsAre(Pair("list", R"([1, {"a": null}])")));
}

TEST(EventJsonTest, BothMembersMayBeLeftOut) {
  v1::SendEventRequest event;
  EXPECT_TRUE(ReadEventJson("body", "{}", &event).ok());
  EXPECT_TRUE(ReadEventJson("body", R"({"id": "7"})", &event).ok());
  EXPECT_EQ(event.id(), "7");
  EXPECT_TRUE(ReadEventJson("body", R"({"id": 8})", &event).ok()) << "many senders count";
  EXPECT_EQ(event.id(), "8");
}

TEST(EventJsonTest, WhatIsThereTwiceIsRefused) {
  EXPECT_THAT(RefusalOf(R"({"id": "7", "id": "8"})"), HasSubstr("the member id is there twice"));
  EXPECT_THAT(RefusalOf(R"({"id": null, "id": "8"})"), HasSubstr("the member id is there twice"));
  EXPECT_THAT(RefusalOf(R"({"parameters": {"a": 1}, "parameters": {"b": 2}})"), HasSubstr("the member parameters is there twice"));
  EXPECT_THAT(RefusalOf(R"({"parameters": {"a": null, "a": 2}})"), HasSubstr("the parameter a is there twice"));
}

TEST(EventJsonTest, ASlipIsToldWithItsPlace) {
  EXPECT_THAT(RefusalOf(R"({"parametres": {}})"), HasSubstr("body:1:2: an event has no member parametres"));
  EXPECT_THAT(RefusalOf("[]"), HasSubstr("expected an object"));
  EXPECT_THAT(RefusalOf(R"({"parameters": "x"})"), HasSubstr("expected an object"));
  EXPECT_THAT(RefusalOf(R"({"id": "7"} x)"), HasSubstr("body:1:13"));
  EXPECT_THAT(RefusalOf(R"({"parameters": {"a": 1, "a": 2}})"), HasSubstr("the parameter a is there twice"));
  EXPECT_THAT(RefusalOf("{\"id\": \"\xff\"}"), HasSubstr("UTF-8"));
  EXPECT_NE(RefusalOf(""), "");
}

}  // namespace
}  // namespace muster::convert
