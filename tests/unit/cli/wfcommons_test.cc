#include "cli/wfcommons.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cli/yaml.h"
#include "common/convert/workflow_graph.h"
#include "google/protobuf/util/message_differencer.h"
#include "master/workflows/plan.h"

namespace muster::cli {
namespace {

using ::testing::HasSubstr;

std::string FileText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string OutputOf(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  std::string text;
  char chunk[65536];
  for (size_t count; (count = fread(chunk, 1, sizeof(chunk), pipe)) > 0;) text.append(chunk, count);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

absl::StatusOr<v1::WorkflowSpec> Import(const std::string& json, const WfCommonsOptions& options = {}) {
  return ImportWfCommons("x.json", json, options);
}

std::string ErrorOf(const std::string& json, const WfCommonsOptions& options = {}) {
  return std::string(Import(json, options).status().message());
}

std::vector<std::string> NeedsOf(const v1::WorkflowNode& node) {
  std::vector<std::string> needs;
  for (const v1::Need& need : node.needs()) needs.push_back(need.node());
  return needs;
}

constexpr char kNewForm[] = R"({
  "name": "my sky", "schemaVersion": "1.5",
  "workflow": {
    "specification": {"files": [{"id": "f", "sizeInBytes": 12}], "tasks": [
      {"name": "mProject_ID1", "id": "mProject_ID1", "parents": [], "children": ["mAdd_ID3"]},
      {"name": "mProject_ID2", "id": "mProject_ID2", "parents": [], "children": []},
      {"name": "mAdd_ID3", "id": "mAdd_ID3", "parents": ["mProject_ID1", "mProject_ID2"], "children": []}]},
    "execution": {"makespanInSeconds": 3, "tasks": [
      {"id": "mProject_ID1", "runtimeInSeconds": 12.3456},
      {"id": "mAdd_ID3", "runtimeInSeconds": 100}]}}})";

TEST(WfCommons, ATaskSleepsForItsScaledRunTimeAfterItsParents) {
  WfCommonsOptions options;
  options.scale = 0.01;
  const absl::StatusOr<v1::WorkflowSpec> spec = Import(kNewForm, options);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name(), "my_sky");
  ASSERT_EQ(spec->nodes_size(), 3);
  EXPECT_THAT(spec->nodes(0).task().command().argv(), testing::ElementsAre("sleep", "0.123"));
  EXPECT_THAT(spec->nodes(1).task().command().argv(), testing::ElementsAre("sleep", "0"));  // no run time is known
  EXPECT_THAT(spec->nodes(2).task().command().argv(), testing::ElementsAre("sleep", "1"));
  EXPECT_THAT(NeedsOf(spec->nodes(2)), testing::ElementsAre("mProject_ID1", "mProject_ID2"));
}

TEST(WfCommons, ACommandHasNameTypeAndSeconds) {
  WfCommonsOptions options;
  options.command = "./{{ type }} --as {{ name }} {{ seconds }} {x}";
  const absl::StatusOr<v1::WorkflowSpec> spec = Import(kNewForm, options);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(spec->nodes(2).task().command().shell());
  EXPECT_THAT(spec->nodes(2).task().command().argv(), testing::ElementsAre("./mAdd --as mAdd_ID3 100 {x}"));
  options.command = "./run {{ kind }}";
  EXPECT_THAT(ErrorOf(kNewForm, options), HasSubstr("{{ kind }}; what is filled in is {{ name }}"));
  options = {.scale = -1, .command = ""};
  EXPECT_THAT(ErrorOf(kNewForm, options), HasSubstr("the scale"));
}

TEST(WfCommons, BeforeFormat15TasksAreMeantByNameAndAnEdgeMayStandAtOneEnd) {
  const absl::StatusOr<v1::WorkflowSpec> spec = Import(R"({"name": "w", "workflow": {"jobs": [
      {"name": "split", "id": "ID01", "runtime": 2, "children": ["left", "ID03"]},
      {"name": "left", "id": "ID02", "runtimeInSeconds": 3},
      {"name": "right", "id": "ID03", "runtime": null, "parents": null},
      {"name": "join", "id": "ID04", "parents": ["left", "right", "left"]}]}})");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_THAT(NeedsOf(spec->nodes(1)), testing::ElementsAre("split"));
  EXPECT_THAT(NeedsOf(spec->nodes(2)), testing::ElementsAre("split"));
  EXPECT_THAT(NeedsOf(spec->nodes(3)), testing::ElementsAre("left", "right"));
  EXPECT_EQ(spec->nodes(1).task().command().argv(1), "3");
}

TEST(WfCommons, NamesAreMadeLegalAndUnique) {
  const std::string long_name(200, 'n');
  const absl::StatusOr<v1::WorkflowSpec> spec = Import(absl::StrCat(
      R"({"workflow": {"tasks": [{"name": "a b", "id": "1"}, {"name": "a_b", "id": "2", "parents": ["a b"]}, {"name": "same", "id": "x/1"},
          {"name": "same", "id": "x:1"}, {"name": "matrix", "id": "5"}, {"name": ")", long_name, R"(1"}, {"name": ")", long_name, R"(2"}]}})"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  std::vector<std::string> names;
  for (const v1::WorkflowNode& node : spec->nodes()) names.push_back(node.name());
  EXPECT_THAT(names, testing::ElementsAre("a_b", "a_b-2", "x_1", "x_1-2", "matrix-2", std::string(128, 'n'), std::string(126, 'n') + "-2"));
  EXPECT_THAT(NeedsOf(spec->nodes(1)), testing::ElementsAre("a_b"));
}

TEST(WfCommons, WhatIsWrongIsOneLineWithItsPlace) {
  const auto tasks = [](const std::string& list) { return absl::StrCat("{\"workflow\": {\"tasks\": [\n", list, "]}}"); };
  EXPECT_EQ(ErrorOf("{\"workflow\": {\"tasks\": [}"), "x.json:1:25: expected an object");
  EXPECT_EQ(ErrorOf(tasks("{\"id\": 7}")), "x.json:2:8: expected a text in double quotes");
  EXPECT_EQ(ErrorOf(tasks("{\"id\": \"a\"},\n {\"id\": \"a\"}")), "x.json:3:2: a second task with the id 'a'");
  EXPECT_EQ(ErrorOf(tasks("{\"id\": \"a\", \"parents\": [\"b\\u001b\"]}")), "x.json:2:1: a task with the parent 'b?', which there is not");
  EXPECT_EQ(ErrorOf(tasks("{\"id\": \"a\", \"children\": [\"a\"]}")), "x.json:2:1: a task that is its own parent");
  EXPECT_EQ(ErrorOf(tasks("{\"id\": \"a\", \"runtime\": -1}")), "x.json:2:24: a run time that is negative");
  EXPECT_EQ(ErrorOf(tasks("{\"runtime\": 1}")), "x.json:2:1: a task with neither id nor name");
  EXPECT_THAT(ErrorOf("{\"workflow\": {}}"), HasSubstr("x.json: has no tasks"));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("x.json:1:1: expected an object"));
  EXPECT_THAT(ErrorOf(tasks(R"({"id": "a", "parents": ["b"]}, {"id": "b", "parents": ["a"]})")), HasSubstr("a -> b -> a"));
}

TEST(WfCommons, MoreTasksOrEdgesThanAWorkflowMayHaveAreRefusedWhileTheyAreRead) {
  std::string many = "{\"workflow\": {\"tasks\": [{\"id\": \"0\"}";
  for (int i = 1; i <= 100'000; ++i) absl::StrAppend(&many, ",{\"id\": \"", i, "\"}");
  EXPECT_THAT(ErrorOf(many), HasSubstr("more than 100000 tasks"));
}

TEST(WfCommons, AsAFileItReadsTheSame) {
  WfCommonsOptions options;
  absl::StatusOr<v1::WorkflowSpec> spec = Import(absl::StrReplaceAll(kNewForm, {{"mAdd_ID3", "yes"}, {"my sky", "12"}}));
  ASSERT_TRUE(spec.ok()) << spec.status();
  const std::string text = WorkflowFileText(*spec);
  EXPECT_EQ(text,
            "name: \"12\"\n"
            "tasks:\n"
            "  mProject_ID1:\n"
            "    command: {argv: [sleep, \"12.346\"]}\n"
            "  mProject_ID2:\n"
            "    command: {argv: [sleep, \"0\"]}\n"
            "  \"yes\":\n"
            "    command: {argv: [sleep, \"100\"]}\n"
            "    needs: [mProject_ID1, mProject_ID2]\n");
  options.command = "echo \"{{ name }}\" \\ 'x: #'\t";
  const absl::StatusOr<std::string> json = YamlToJson(WorkflowFileText(*Import(kNewForm, options)), nullptr);
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_THAT(*json, HasSubstr(R"("run":"echo \"mAdd_ID3\" \\ 'x: #'\u0009")"));
}

// How long from each node to the end by following its ways, with nothing of the graph's code.
absl::Duration LongestWay(const v1::WorkflowSpec& spec) {
  std::map<std::string, const v1::WorkflowNode*> nodes;
  for (const v1::WorkflowNode& node : spec.nodes()) nodes[node.name()] = &node;
  std::map<std::string, absl::Duration> ends;
  const std::function<absl::Duration(const std::string&)> end_of = [&](const std::string& name) {
    if (const auto found = ends.find(name); found != ends.end()) return found->second;
    absl::Duration start;
    for (const v1::Need& need : nodes.at(name)->needs()) start = std::max(start, end_of(need.node()));
    double seconds = 0;
    EXPECT_TRUE(absl::SimpleAtod(nodes.at(name)->task().command().argv(1), &seconds));
    return ends[name] = start + absl::Seconds(seconds);
  };
  absl::Duration longest;
  for (const v1::WorkflowNode& node : spec.nodes()) longest = std::max(longest, end_of(node.name()));
  return longest;
}

struct Published {
  const char* name;
  size_t tasks, edges, stages;
};

// The counts are those of the instances that others have published; the stages follow from their shapes.
TEST(WfCommons, InstancesOfPublishedSizesAreImportedAndPlanned) {
  for (const Published& published : {Published{"montage-chameleon-2mass-005d-001", 58, 114, 8},
                                     Published{"montage-chameleon-2mass-05d-001", 1738, 4698, 8},
                                     Published{"epigenomics-chameleon-hep-1seq-100k-001", 41, 48, 9},
                                     Published{"epigenomics-chameleon-ilmn-6seq-50k-001", 1695, 2108, 9},
                                     Published{"1000genome-chameleon-2ch-100k-001", 52, 76, 3},
                                     Published{"1000genome-chameleon-22ch-250k-001", 902, 1166, 3}}) {
    SCOPED_TRACE(published.name);
    const std::string text = FileText(absl::StrCat(MUSTER_WFCOMMONS_INSTANCES, "/", published.name, ".json"));
    const absl::StatusOr<v1::WorkflowSpec> spec = ImportWfCommons(published.name, text, {.scale = 0.01, .command = ""});
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->name(), published.name);
    const absl::StatusOr<WorkflowGraph> graph = convert::MakeWorkflowGraph(*spec);
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ(graph->task_count(), published.tasks);
    EXPECT_EQ(graph->need_count(), published.edges);
    std::vector<std::optional<absl::Duration>> times;
    for (const v1::WorkflowNode& node : spec->nodes()) {
      double seconds = 0;
      ASSERT_TRUE(absl::SimpleAtod(node.task().command().argv(1), &seconds));
      times.emplace_back(absl::Seconds(seconds));
    }
    const workflows::Plan plan = workflows::MakePlan(*graph, times);
    EXPECT_EQ(plan.stages.size(), published.stages);
    EXPECT_EQ(plan.critical_path_time, LongestWay(*spec));
    EXPECT_GT(plan.slots_to_reach_critical_path, 1u);
  }
}

// Old and new form of one instance: other ids, edges at one end only, and the same workflow.
TEST(WfCommons, TheOldFormGivesTheSameWorkflowAsTheNew) {
  for (const char* const name : {"montage-chameleon-2mass-005d-001", "1000genome-chameleon-22ch-250k-001"}) {
    const auto old_form = ImportWfCommons(name, OutputOf(absl::StrCat("python3 ", MUSTER_WFCOMMONS_MAKER, " --old ", name)), {});
    const auto new_form = ImportWfCommons(name, FileText(absl::StrCat(MUSTER_WFCOMMONS_INSTANCES, "/", name, ".json")), {});
    ASSERT_TRUE(old_form.ok()) << old_form.status();
    ASSERT_TRUE(new_form.ok()) << new_form.status();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*old_form, *new_form));
  }
}

}  // namespace
}  // namespace muster::cli
