#include "worker/plugins/noop/parameters.h"

#include <gtest/gtest.h>

namespace muster::noop {
namespace {

std::string Problem(const std::string& json) {
  Parameters parameters;
  std::string problem;
  return ParseParameters(json, &parameters, &problem) ? "" : problem;
}

TEST(Parameters, AreOptional) {
  Parameters parameters;
  std::string problem;
  for (const char* json : {"", "  ", "{}", " { } "}) EXPECT_TRUE(ParseParameters(json, &parameters, &problem)) << json;
  EXPECT_EQ(parameters.exit_code, 0);
}

TEST(Parameters, AreRead) {
  Parameters parameters;
  std::string problem;
  ASSERT_TRUE(ParseParameters(R"({"exit_code":3,"sleep_ms" : 20.0, "output_bytes":1048576})", &parameters, &problem));
  EXPECT_EQ(parameters.exit_code, 3);
  EXPECT_EQ(parameters.sleep_ms, 20);
  EXPECT_EQ(parameters.output_bytes, 1 << 20);
}

TEST(Parameters, AreRefusedByName) {
  EXPECT_NE(Problem(R"({"nap":1})").find("\"nap\""), std::string::npos);
  EXPECT_EQ(Problem(R"({"exit_code":256})"), "exit_code: 0 to 255");
  EXPECT_NE(Problem(R"({"sleep_ms":-1})").find("sleep_ms"), std::string::npos);
  EXPECT_NE(Problem(R"({"sleep_ms":"1"})").find("sleep_ms"), std::string::npos);
  EXPECT_NE(Problem(R"({"sleep_ms":99999999999999999999})").find("sleep_ms"), std::string::npos);
}

TEST(Parameters, BrokenTextNeverReadsPastItsEnd) {
  const std::string whole = R"({"exit_code":3,"sleep_ms":20})";
  for (size_t size = 1; size < whole.size(); ++size) EXPECT_NE(Problem(whole.substr(0, size)), "") << size;
  EXPECT_NE(Problem(whole + "x"), "");
}

}  // namespace
}  // namespace muster::noop
