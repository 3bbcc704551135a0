// docs/workflow.schema.json and docs/workflows.md against the reader.
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/task_fields.h"
#include "cli/workflow_file/workflow_file.h"
#include "muster/v1/task.pb.h"
#include "tests/unit/cli/workflow_file/json_schema.h"

namespace muster::cli {

using google::protobuf::Value;

const Value& JsonSchema::At(const Value& value, const std::vector<std::string>& path) {
  const Value* at = &value;
  for (const std::string& key : path) at = &at->struct_value().fields().at(key);
  return *at;
}

namespace {

std::string TypeOf(const Value& value) {
  switch (value.kind_case()) {
    case Value::kStructValue: return "object";
    case Value::kListValue: return "array";
    case Value::kStringValue: return "string";
    case Value::kBoolValue: return "boolean";
    case Value::kNumberValue: return "number";
    default: return "null";
  }
}

bool IsOfType(const std::string& type, const Value& value) {
  return type == TypeOf(value) || (type == "integer" && value.has_number_value() && value.number_value() == std::floor(value.number_value()));
}

bool Same(const Value& a, const Value& b) { return a.SerializeAsString() == b.SerializeAsString(); }

}  // namespace

std::string JsonSchema::Check(const Value& schema, const Value& value, const std::string& path) const {
  if (schema.has_bool_value()) return schema.bool_value() ? "" : path + ": nothing may be here";
  for (const auto& [keyword, given] : schema.struct_value().fields()) {
    const std::string wrong = CheckKeyword(keyword, given, schema, value, path);
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string JsonSchema::CheckKeyword(const std::string& keyword, const Value& given, const Value& schema, const Value& value, const std::string& path) const {
  static const std::set<std::string> kSaidOnly = {"$schema", "$id", "title", "description", "definitions"};
  if (kSaidOnly.contains(keyword)) return "";
  const auto fails = [&](bool holds) { return holds ? std::string() : absl::StrCat(path, ": ", keyword); };
  const auto count_of_matching = [&] {
    int count = 0;
    for (const Value& each : given.list_value().values()) count += Check(each, value, path).empty() ? 1 : 0;
    return count;
  };
  if (keyword == "$ref") {
    std::vector<std::string> parts = absl::StrSplit(given.string_value(), '/');
    parts.erase(parts.begin());
    return Check(At(root_, parts), value, path);
  }
  if (keyword == "type") {
    if (given.has_string_value()) return fails(IsOfType(given.string_value(), value));
    for (const Value& each : given.list_value().values()) {
      if (IsOfType(each.string_value(), value)) return "";
    }
    return fails(false);
  }
  if (keyword == "enum") {
    for (const Value& each : given.list_value().values()) {
      if (Same(each, value)) return "";
    }
    return fails(false);
  }
  if (keyword == "const") return fails(Same(given, value));
  if (keyword == "not") return fails(!Check(given, value, path).empty());
  if (keyword == "anyOf") return fails(count_of_matching() > 0);
  if (keyword == "oneOf") return fails(count_of_matching() == 1);
  if (keyword == "allOf") {
    for (const Value& each : given.list_value().values()) {
      const std::string wrong = Check(each, value, path);
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  if (keyword == "pattern") return fails(!value.has_string_value() || RE2::PartialMatch(value.string_value(), given.string_value()));
  if (keyword == "minimum") return fails(!value.has_number_value() || value.number_value() >= given.number_value());
  if (keyword == "maximum") return fails(!value.has_number_value() || value.number_value() <= given.number_value());
  if (keyword == "minItems") return fails(!value.has_list_value() || value.list_value().values_size() >= given.number_value());
  if (keyword == "uniqueItems") {
    std::set<std::string> seen;
    for (const Value& item : value.list_value().values()) {
      if (!seen.insert(item.SerializeAsString()).second) return fails(false);
    }
    return "";
  }
  if (keyword == "items") {
    for (const Value& item : value.list_value().values()) {
      const std::string wrong = Check(given, item, path + "[]");
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  if (keyword == "minProperties") return fails(!value.has_struct_value() || value.struct_value().fields_size() >= given.number_value());
  if (keyword == "maxProperties") return fails(!value.has_struct_value() || value.struct_value().fields_size() <= given.number_value());
  if (keyword == "required") {
    if (!value.has_struct_value()) return "";
    for (const Value& each : given.list_value().values()) {
      if (!value.struct_value().fields().contains(each.string_value())) return absl::StrCat(path, ": lacks ", each.string_value());
    }
    return "";
  }
  if (keyword == "propertyNames") {
    for (const auto& [key, inner] : value.struct_value().fields()) {
      Value name;
      name.set_string_value(key);
      const std::string wrong = Check(given, name, absl::StrCat(path, ".", key));
      if (!wrong.empty()) return wrong;
    }
    return "";
  }
  if (keyword == "properties" || keyword == "additionalProperties") return CheckObject(schema, value, path);
  return absl::StrCat(path, ": the test does not know the keyword ", keyword);
}

std::string JsonSchema::CheckObject(const Value& schema, const Value& value, const std::string& path) const {
  static const Value kNone;
  const auto& keywords = schema.struct_value().fields();
  const auto properties = keywords.find("properties");
  const auto additional = keywords.find("additionalProperties");
  for (const auto& [key, inner] : value.struct_value().fields()) {
    const bool is_known = properties != keywords.end() && properties->second.struct_value().fields().contains(key);
    if (!is_known && additional == keywords.end()) continue;
    const Value& of = is_known ? properties->second.struct_value().fields().at(key) : additional->second;
    const std::string wrong = Check(of, inner, absl::StrCat(path, ".", key));
    if (!wrong.empty()) return wrong;
  }
  return "";
}

namespace {

std::string ReadDocument(const std::string& name) {
  std::ifstream file(absl::StrCat(MUSTER_SOURCE_DIR, "/docs/", name));
  EXPECT_TRUE(file.good()) << name;
  std::stringstream content;
  content << file.rdbuf();
  return content.str();
}

// A YAML text as JSON has it.
Value ValueOf(const std::string& yaml) {
  const absl::StatusOr<Document> document = Document::Parse("f", yaml);
  EXPECT_TRUE(document.ok()) << document.status();
  v1::TaskSpec holder;
  const MessageFiller filler([](const auto&, const auto&, auto*) { return absl::OkStatus(); });
  EXPECT_EQ(filler.FillField(document->root(), *v1::TaskSpec::descriptor()->FindFieldByName("parameters"), &holder), absl::OkStatus());
  Value value;
  *value.mutable_struct_value() = holder.parameters();
  return value;
}

const JsonSchema& Schema() {
  static const JsonSchema* const schema = [] {
    Value root;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(ReadDocument("workflow.schema.json"), &root).ok());
    return new JsonSchema(root);
  }();
  return *schema;
}

std::set<std::string> KeysOf(const Value& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.struct_value().fields()) keys.insert(key);
  return keys;
}

std::set<std::string> FieldsOf(const google::protobuf::Descriptor& type) {
  std::set<std::string> names;
  for (int i = 0; i < type.field_count(); ++i) names.insert(type.field(i)->name());
  return names;
}

struct Example {
  std::string yaml;
  std::string refusal;  // "": it is good
};

// Each block of YAML, with the block of another kind that follows at once.
std::vector<Example> ExamplesOf(const std::string& page) {
  std::vector<Example> examples;
  std::vector<std::string>* block = nullptr;
  std::vector<std::string> yaml, other;
  bool follows = false;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(page, '\n'))) {
    if (block != nullptr && line == "```") {
      std::string text;
      for (const std::string& inside : *block) absl::StrAppend(&text, inside, "\n");
      if (block == &yaml) {
        examples.push_back({text, ""});
      } else if (!examples.empty()) {
        examples.back().refusal = text.substr(0, text.size() - 1);
      }
      follows = block == &yaml;
      block->clear();
      block = nullptr;
    } else if (block != nullptr) {
      block->push_back(line);
    } else if (line == "```yaml") {
      block = &yaml;
    } else if (line == "```" && follows) {
      block = &other;
    } else {
      follows = false;
    }
  }
  return examples;
}

TEST(WorkflowSchema, ItsFieldsAreTheReaders) {
  const Value& root = Schema().root();
  const auto names = [](const std::vector<std::string>& of) { return std::set<std::string>(of.begin(), of.end()); };
  EXPECT_EQ(KeysOf(JsonSchema::At(root, {"properties"})), names(WorkflowFieldNames()));
  EXPECT_EQ(KeysOf(JsonSchema::At(root, {"definitions", "task", "properties"})), names(TaskFieldNames()));
  EXPECT_EQ(KeysOf(JsonSchema::At(root, {"properties", "defaults", "properties"})), names(DefaultFieldNames()));
  const auto inner = [&](const std::string& field) { return KeysOf(JsonSchema::At(root, {"definitions", "task_field_" + field, "properties"})); };
  EXPECT_EQ(inner("requirements"), FieldsOf(*v1::Requirements::descriptor()));
  EXPECT_EQ(inner("retry"), FieldsOf(*v1::RetryPolicy::descriptor()));
  EXPECT_EQ(inner("validation"), FieldsOf(*v1::Validation::descriptor()));
  const Value& command = JsonSchema::At(root, {"definitions", "task_field_command", "oneOf"}).list_value().values(1);
  EXPECT_EQ(KeysOf(JsonSchema::At(command, {"properties"})), FieldsOf(*v1::Command::descriptor()));
  EXPECT_EQ(KeysOf(JsonSchema::At(command, {"properties", "script", "properties"})), FieldsOf(*v1::Script::descriptor()));
}

// Every field has its words.
void ExpectDescribed(const Value& schema, const std::string& path) {
  for (const auto& [keyword, given] : schema.struct_value().fields()) {
    if (keyword != "properties") {
      if (given.has_struct_value()) ExpectDescribed(given, absl::StrCat(path, ".", keyword));
      for (const Value& each : given.list_value().values()) ExpectDescribed(each, absl::StrCat(path, ".", keyword));
      continue;
    }
    for (const auto& [name, of] : given.struct_value().fields()) {
      const auto& fields = of.struct_value().fields();
      EXPECT_TRUE(fields.contains("description") || fields.contains("$ref")) << path << "." << name;
      ExpectDescribed(of, absl::StrCat(path, ".", name));
    }
  }
}

TEST(WorkflowSchema, EveryFieldIsDescribed) { ExpectDescribed(Schema().root(), "$"); }

TEST(WorkflowSchema, TheExamplesOfThePageAreWhatTheySay) {
  const std::vector<Example> examples = ExamplesOf(ReadDocument("workflows.md"));
  EXPECT_GE(examples.size(), 8u);
  for (const Example& example : examples) {
    const absl::StatusOr<v1::WorkflowSpec> spec = ReadWorkflowText({"f", example.yaml});
    EXPECT_EQ(spec.ok() ? "" : std::string(spec.status().message()), example.refusal.empty() ? "" : absl::StrCat("f:", example.refusal)) << example.yaml;
    if (example.refusal.empty()) {
      EXPECT_EQ(Schema().Check(ValueOf(example.yaml)), "") << example.yaml;
    }
  }
}

TEST(WorkflowSchema, WhatIsGoodPasses) {
  for (const char* yaml : {
           "tasks: {a: {run: x}}",
           "tasks: {a: {command: [x, 1, true]}, b: {run: x, needs: {a: any}}, c: {run: y, needs: [{b: failure}, 'a: any']}}",
           "{on_failure: fail-fast, max_parallel: 1, parameters: {a: , b: 1, c: {default: x}}, tasks: {a: {run: x}}}",
           "{defaults: {timeout: 5m, memory: 2G}, tasks: {a: {run: x, validate: y, accept_exit: [0, 1], on_worker_loss: hold}}}",
           "{defaults: {run: x}, tasks: {a: , b: {matrix: {x: [1, a, true], exclude: [{x: 1}], include: [{x: 7}]}}}}",
           "tasks: {a: {command: {argv: [x], environment: {A: b}, script: {name: s, content: aGk=}}, run_timeout: 1h30m, requirements: {memory_bytes: 1.5G, resources: {gpu: 1}}}}",
       }) {
    EXPECT_TRUE(ReadWorkflowText({"f", yaml}).ok()) << yaml << ReadWorkflowText({"f", yaml}).status();
    EXPECT_EQ(Schema().Check(ValueOf(yaml)), "") << yaml;
  }
}

TEST(WorkflowSchema, WhatItCanSeeToBeBadFails) {
  for (const char* yaml : {
           "name: a", "tasks: {}", "{nmae: x, tasks: {a: {run: x}}}", "{name: a/b, tasks: {a: {run: x}}}", "tasks: {a: {rum: x}}", "tasks: {'a b': {run: x}}",
           "tasks: {matrix: {run: x}}", "tasks: {a: {run: [x]}}", "tasks: {a: {run: x, command: [y]}}", "tasks: {a: {command: x}}", "tasks: {a: {command: []}}",
           "tasks: {a: {run: x, name: a}}", "tasks: {a: {run: x, dependencies: []}}", "tasks: {a: {run: x, start_time: '2026-01-01T00:00:00Z'}}",
           "tasks: {a: {run: x, timeout: soon}}", "tasks: {a: {run: x, timeout: 1s, run_timeout: 1s}}", "tasks: {a: {run: x, memory: much}}",
           "tasks: {a: {run: x, retries: 1000}}", "tasks: {a: {run: x, priority: high}}", "tasks: {a: {run: x, retry: {max_atempts: 1}}}",
           "tasks: {a: {run: x, on_worker_loss: hope}}", "tasks: {a: {run: x, env: [A]}}", "tasks: {a: {run: x, env: {'A B': 1}}}",
           "tasks: {a: {run: x, matrix: {b: 1}}}", "tasks: {a: {run: x, matrix: {b: []}}}", "tasks: {a: {run: x, matrix: {b-c: [1]}}}", "tasks: {a: {run: x, matrix: {}}}",
           "tasks: {a: {run: x, matrix: {b: [1]}, outputs: [c]}}", "tasks: {a: {run: x, outputs: [a-b]}}", "tasks: {a: {run: x, outputs: [a, a]}}",
           "tasks: {a: {run: x}, b: {run: x, needs: [{a: done}]}}", "tasks: {a: {run: x, if: city}}", "tasks: {a: {run: x, may_fail: perhaps}}",
           "{on_failure: go, tasks: {a: {run: x}}}", "{max_parallel: 0, tasks: {a: {run: x}}}", "{parameters: {a-b: 1}, tasks: {a: {run: x}}}",
           "{parameters: {a: {defualt: 1}}, tasks: {a: {run: x}}}", "{defaults: {needs: [a]}, tasks: {a: {run: x}}}",
       }) {
    EXPECT_FALSE(ReadWorkflowText({"f", yaml}).ok()) << yaml;
    EXPECT_NE(Schema().Check(ValueOf(yaml)), "") << yaml;
    EXPECT_FALSE(absl::StrContains(Schema().Check(ValueOf(yaml)), "does not know")) << Schema().Check(ValueOf(yaml));
  }
}

}  // namespace
}  // namespace muster::cli
