#include "common/convert/workflow_parameters.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/domain/batch_arguments.h"

namespace muster::convert {
namespace {

using ::testing::ElementsAre;

using Given = std::vector<std::pair<std::string, std::string>>;

v1::WorkflowSpec FromText(const std::string& text) {
  v1::WorkflowSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

absl::Status FillIn(const Given& given, v1::WorkflowSpec* spec) {
  google::protobuf::RepeatedPtrField<v1::ParameterValue> values;
  for (const auto& [name, value] : given) {
    v1::ParameterValue* to = values.Add();
    to->set_name(name);
    to->set_value(value);
  }
  return FillParameters(values, spec);
}

std::string Refusal(const Given& given, const std::string& text) {
  v1::WorkflowSpec spec = FromText(text);
  return std::string(FillIn(given, &spec).message());
}

constexpr char kCity[] = "parameters { name: 'city' default_value: 'Bonn' } parameters { name: 'year' } ";

TEST(WorkflowParameters, EveryTextOfATaskIsFilledIn) {
  v1::WorkflowSpec spec = FromText(std::string(kCity) + R"pb(
    nodes {
      name: 'a'
      task {
        queue: '{{ city }}'
        executor: 'http'
        arguments: '{{ year }}-{{ city }}'
        command { argv: './x' argv: '{{ city }}/{{year}}' environment { name: 'CITY' value: '<{{ city }}>' } }
        parameters { fields { key: '{{ city }}' value { list_value { values { struct_value { fields { key: 'k' value { string_value: 'in {{ city }}' } } } } } } } }
        labels { key: 'where' value: '{{ city }}' }
        requirements { needs: 'zone={{ city }}' }
      }
      rows { values: '{{ city }}' values: '2' }
      condition { text: '{{ city }}' right: '{{ year }}' }
    })pb");
  ASSERT_EQ(FillIn({{"year", "2026"}}, &spec), absl::OkStatus());
  const v1::TaskSpec& task = spec.nodes(0).task();
  EXPECT_EQ(task.queue(), "Bonn");
  EXPECT_EQ(task.arguments(0), "2026-Bonn");
  EXPECT_EQ(task.command().argv(1), "Bonn/2026");
  EXPECT_EQ(task.command().environment(0).value(), "<Bonn>");
  EXPECT_EQ(task.parameters().fields().at("{{ city }}").list_value().values(0).struct_value().fields().at("k").string_value(), "in Bonn");
  EXPECT_EQ(task.labels(0).value(), "Bonn");
  EXPECT_EQ(task.requirements().needs(0), "zone=Bonn");
  EXPECT_EQ(spec.nodes(0).rows(0).values(0), "Bonn");
  EXPECT_EQ(spec.nodes(0).condition().text(), "Bonn");
  EXPECT_EQ(spec.nodes(0).condition().right(), "2026");
}

TEST(WorkflowParameters, AValueIsOneWordOfALineForAShell) {
  v1::WorkflowSpec spec = FromText(
      "parameters { name: 'x' } nodes { task { command { argv: 'ls {{ x }}' shell: true } validation { command: 'test {{ x }}' output_pattern: '{{ x }}' } } }");
  ASSERT_EQ(FillIn({{"x", "it's; rm -rf /"}}, &spec), absl::OkStatus());
  EXPECT_EQ(spec.nodes(0).task().command().argv(0), "ls 'it'\\''s; rm -rf /'");
  EXPECT_EQ(spec.nodes(0).task().validation().command(), "test 'it'\\''s; rm -rf /'");
  EXPECT_EQ(spec.nodes(0).task().validation().output_pattern(), "it's; rm -rf /");
}

TEST(WorkflowParameters, AValueIsNotPutIntoQuotesThatItCouldLeave) {
  const auto refusal = [](const std::string& line) {
    v1::WorkflowSpec spec = FromText("parameters { name: 'x' } nodes { name: 'n' task { command { shell: true } } }");
    spec.mutable_nodes(0)->mutable_task()->mutable_command()->add_argv(line);
    return std::string(FillIn({{"x", "$(rm -rf /)"}}, &spec).message());
  };
  constexpr char kWhy[] = "n: {{ x }} stands where its value could run (within quotes, arithmetic, or after a here-document, backquotes, case, eval); put it in the environment and use the variable";
  EXPECT_EQ(refusal("echo \"{{ x }}\""), kWhy);
  EXPECT_EQ(refusal("sh -c 'echo {{ x }}'"), kWhy);
  EXPECT_EQ(refusal("echo {{ x }}'{{ x }}'"), kWhy);
  EXPECT_EQ(refusal("echo \"$(cat {{ x }})\""), kWhy);
  EXPECT_EQ(refusal("echo $(( {{ x }} ))"), kWhy);
  EXPECT_EQ(refusal("echo {{ x }}'a'{{ x }} $(cat {{ x }})"), "");
  EXPECT_EQ(refusal("echo {{ x }}#'\n{{ x }}'"), kWhy);
}

TEST(WorkflowParameters, AValueIsNoPlaceOfARow) {
  v1::WorkflowSpec spec = FromText(
      "parameters { name: 'x' } nodes { rows { values: 'r{{ x }}' } task { queue: '{{ x }}' command { argv: 'a' argv: '{{ x }}{1}' } } }");
  ASSERT_EQ(FillIn({{"x", "{1}{}{{#}}"}}, &spec), absl::OkStatus());
  const auto& argv = spec.nodes(0).task().command().argv();
  EXPECT_THAT(FillArguments({argv.begin(), argv.end()}, {"row"}, 1), ElementsAre("a", "{1}{}{{#}}row"));
  EXPECT_EQ(spec.nodes(0).task().queue(), "{1}{}{{#}}");  // the worker puts nothing in there
  EXPECT_EQ(spec.nodes(0).rows(0).values(0), "r{1}{}{{#}}");
}

TEST(WorkflowParameters, AValueIsNotLookedAtAgain) {
  v1::WorkflowSpec spec = FromText("parameters { name: 'x' } nodes { task { queue: '{{ x }} \\\\{{ x }}' } }");
  ASSERT_EQ(FillIn({{"x", "{{ x }}"}}, &spec), absl::OkStatus());
  EXPECT_EQ(spec.nodes(0).task().queue(), "{{ x }} {{ x }}");
}

TEST(WorkflowParameters, WhatIsUnknownOrMissingIsRefusedWithTheNearest) {
  EXPECT_EQ(Refusal({{"yaer", "1"}}, kCity), "the workflow has no parameter 'yaer'; did you mean year?");
  EXPECT_EQ(Refusal({{"population", "1"}}, kCity), "the workflow has no parameter 'population'; it declares city, year");
  EXPECT_EQ(Refusal({{"a", "1"}}, ""), "the workflow has no parameter 'a'; the workflow declares none");
  EXPECT_EQ(Refusal({}, kCity), "no value for the parameter year; give it with --set year=VALUE");
  EXPECT_EQ(Refusal({}, "parameters { name: 'b' } parameters { name: 'a' }"), "no value for the parameters a, b; give them with --set a=VALUE");
  EXPECT_EQ(Refusal({{"year", "1"}, {"year", "2"}}, kCity), "the parameter year is given twice; take one out");
  EXPECT_EQ(Refusal({{"year", "1"}}, std::string(kCity) + "nodes { name: 'a' task { queue: '{{ cty }}' } }"),
            "a: {{ cty }} is no parameter; did you mean city?");
}

TEST(WorkflowParameters, ADeclarationIsANameAndItsOwn) {
  EXPECT_EQ(Refusal({}, "parameters { name: '1a' }"), "'1a' is no name for a parameter; give letters, digits and _, no digit first");
  EXPECT_EQ(Refusal({}, "parameters { name: 'a\\n' }"), "'a ' is no name for a parameter; give letters, digits and _, no digit first");
  EXPECT_EQ(Refusal({{"a", ""}}, "parameters { name: 'a' } parameters { name: 'a' }"), "the parameter a is declared twice; take one out");
}

TEST(WorkflowParameters, ValuesCannotMakeAWorkflowAThousandTimesLarger) {
  std::string text = "parameters { name: 'x' } ";
  for (int i = 0; i < 20; ++i) text += "nodes { name: 'n' task { queue: '{{ x }}{{ x }}' } } ";
  EXPECT_EQ(Refusal({{"x", std::string(1 << 20, 'x')}}, text),
            "n: the values of parameters make the workflow larger by more than 16 MiB; pass large data in files");
  EXPECT_EQ(Refusal({{"x", std::string(1 << 18, 'x')}}, text), "");
}

}  // namespace
}  // namespace muster::convert
