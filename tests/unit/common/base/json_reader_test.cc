#include "common/base/json_reader.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace muster {
namespace {

std::string ErrorOf(const std::string& text) {
  JsonReader json("x.json", text);
  json.Skip();
  json.Finish();
  return std::string(json.status().message());
}

std::string TextOf(const std::string& text) {
  JsonReader json("x.json", text);
  std::string read;
  json.ReadString(&read);
  return json.status().ok() ? read : "refused";
}

double NumberOf(const std::string& text) {
  JsonReader json("x.json", text);
  double number = -1;
  json.ReadNumber(&number);
  json.Finish();
  return json.status().ok() ? number : -999;
}

TEST(JsonReader, TakesWhatIsJson) {
  for (const char* const text : {"{}", " [ ] ", "[1, -2.5e+3, true, false, null, \"x\", {\"a\": [], \"b\": {}}]\n", "0", "\"\"",
                                 "{\"a\": {\"b\": [[[[\"\\u00e9\"]]]]}}"}) {
    EXPECT_EQ(ErrorOf(text), "") << text;
  }
}

TEST(JsonReader, SaysWhereAndWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "x.json:1:1: expected a value, and the file ends"},
      {"{\"a\": 1\n \"b\": 2}", "x.json:2:2: expected ',' or '}'"},
      {"{\"a\" 1}", "x.json:1:6: expected ':' after a key"},
      {"{a: 1}", "x.json:1:2: expected a key in double quotes"},
      {"[1, 2", "x.json:1:6: expected ',' or ']'"},
      {"[1,]", "x.json:1:4: expected a value"},
      {"[1}\n", "x.json:1:3: expected ',' or ']'"},
      {"{} x", "x.json:1:4: something follows the end of the JSON"},
      {"\"abc", "x.json:1:1: a text that does not end"},
      {"\"a\nb\"", "x.json:1:3: a text with a control character; write it as \\u00.."},
      {"\"\\x\"", "x.json:1:2: no escape of JSON"},
      {"\"\\ud800\"", "x.json:1:2: no escape of JSON"},
      {"\"\\ud8", "x.json:1:2: no escape of JSON"},
      {"01", "x.json:1:1: a number that begins with 0"},
      {"1.", "x.json:1:3: expected a digit"},
      {"1e999", "x.json:1:1: a number that is too large"},
      {"nul", "x.json:1:1: expected a value"},
      {"\"\xFF\"", "x.json: is not UTF-8"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(ErrorOf(text), error) << text;
}

TEST(JsonReader, NestingHasABound) {
  EXPECT_EQ(ErrorOf(std::string(64, '[') + std::string(64, ']')), "");
  EXPECT_EQ(ErrorOf(std::string(1 << 20, '[')), "x.json:1:65: nested more than 64 deep");
}

TEST(JsonReader, ReadsEscapesAndNumbers) {
  EXPECT_EQ(TextOf("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "a\"\\/\b\f\n\r\t");
  EXPECT_EQ(TextOf("\"\\u00e9\\u20AC\\ud83d\\ude00\""), "é€😀");
  EXPECT_EQ(TextOf("\"\\ude00\""), "refused");
  EXPECT_EQ(NumberOf("-12.5e-1"), -1.25);
  EXPECT_EQ(NumberOf("+1"), -999);
}

TEST(JsonReader, AKindThatWasNotAskedForIsRefusedAndEndsIt) {
  JsonReader json("x.json", "{\"name\": [1], \"more\": 2}");
  std::string key, name;
  int keys = 0;
  for (json.EnterObject(); json.NextKey(&key); ++keys) json.ReadString(&name);
  EXPECT_EQ(keys, 1);
  EXPECT_EQ(json.status().message(), "x.json:1:10: expected a text in double quotes");
}

TEST(JsonReaderTest, WhatIsNoTextIsTakenAsItStandsThere) {
  const auto text_of = [](const std::string& text) {
    JsonReader json("x.json", text);
    std::string read;
    json.ReadText(&read);
    json.Finish();
    EXPECT_TRUE(json.status().ok()) << json.status();
    return read;
  };
  EXPECT_EQ(text_of(R"("a\"b")"), "a\"b");
  EXPECT_EQ(text_of(" 12345678901234567890 "), "12345678901234567890");
  EXPECT_EQ(text_of("1.50"), "1.50");
  EXPECT_EQ(text_of("true"), "true");
  EXPECT_EQ(text_of(R"({"a": [1, 2]})"), R"({"a": [1, 2]})");
}

}  // namespace
}  // namespace muster
