#include "cli/workflow_input.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"

namespace muster::cli {
namespace {

using ::testing::ElementsAre;

// A fresh folder of files.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(testing::TempDir() + "/" + name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  Folder& Add(const std::string& name, const std::string& text) {
    std::ofstream(path_ + "/" + name) << text;
    return *this;
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

std::vector<std::string> NamesOf(const absl::StatusOr<v1::WorkflowSpec>& spec) {
  std::vector<std::string> names;
  EXPECT_TRUE(spec.ok()) << spec.status();
  if (spec.ok()) {
    for (const v1::WorkflowNode& node : spec->nodes()) names.push_back(node.name());
  }
  return names;
}

TEST(WorkflowInput, AFileIsAWorkflow) {
  const Folder folder = Folder("file").Add("w.yaml", "tasks: {b: {run: x}, a: {run: x, needs: b}}\n");
  EXPECT_THAT(NamesOf(ReadWorkflow(folder.path() + "/w.yaml")), ElementsAre("b", "a"));
}

TEST(WorkflowInput, AFolderIsOneInTheOrderOfItsNames) {
  const Folder folder = Folder("folder").Add("z.json", R"({"run": "x"})").Add("b.yml", "run: x\n").Add("a.yaml", "run: x\nneeds: [z]\nname: first\n")
                            .Add("workflow.yaml", "name: all\n").Add(".hidden.yaml", "nonsense").Add("notes.txt", "nonsense");
  std::filesystem::create_directory(folder.path() + "/inner.yaml");
  const absl::StatusOr<v1::WorkflowSpec> spec = ReadWorkflow(folder.path());
  EXPECT_THAT(NamesOf(spec), ElementsAre("first", "b", "z"));
  EXPECT_EQ(spec->name(), "all");
}

TEST(WorkflowInput, WhatCannotBeReadIsAMistakeOfUse) {
  const Folder folder = Folder("bad").Add("w.yaml", "tasks: {a: {rum: x}}\n");
  const std::string file = folder.path() + "/w.yaml";
  const absl::Status status = ReadWorkflow(file).status();
  EXPECT_EQ(ExitCodeOf(status), kExitUsage);
  EXPECT_EQ(status.message(), absl::StrCat(file, ":1:13: there is no field 'rum' of a task; did you mean 'run'?"));
  EXPECT_EQ(ReadWorkflow("/nowhere/w.yaml").status().message(), "the workflow: cannot open /nowhere/w.yaml: No such file or directory");
  const Folder two = Folder("two").Add("workflow.yaml", "").Add("workflow.json", "{}").Add("a.yaml", "run: x\n");
  EXPECT_EQ(ReadWorkflow(two.path()).status().message(),
            absl::StrCat(two.path(), "/workflow.yaml: a second file with the workflow's head, beside ", two.path(), "/workflow.json; take one out"));
}

TEST(WorkflowInput, PartsHoldAllInOrderAndNoneIsTooLarge) {
  v1::WorkflowSpec spec;
  spec.set_name("n");
  for (int i = 0; i < 1000; ++i) {
    v1::WorkflowNode* node = spec.add_nodes();
    node->set_name(absl::StrCat("t", i));
    node->mutable_task()->mutable_command()->add_argv(std::string(i == 500 ? 5000 : 50, 'x'));
  }
  std::vector<v1::WorkflowSpec> parts;
  EXPECT_TRUE(SendInParts(spec, [&](v1::WorkflowSpec part) { return parts.push_back(std::move(part)), true; }, 1000));
  v1::WorkflowSpec whole;
  for (const v1::WorkflowSpec& part : parts) {
    EXPECT_TRUE(part.nodes_size() == 1 || part.ByteSizeLong() < 1200) << part.ByteSizeLong();
    whole.MergeFrom(part);
  }
  EXPECT_GT(parts.size(), 50u);
  EXPECT_EQ(parts[1].name(), "");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(whole, spec));
  int sent = 0;
  EXPECT_FALSE(SendInParts(spec, [&](const v1::WorkflowSpec&) { return ++sent < 3; }, 1000));
  EXPECT_EQ(sent, 3);
  EXPECT_TRUE(SendInParts(v1::WorkflowSpec(), [&](const v1::WorkflowSpec& part) { return part.nodes().empty(); }));
}

}  // namespace
}  // namespace muster::cli
