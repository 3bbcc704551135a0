// What ties the tasks of a workflow file together: needs, and outputs that are passed on. Looked at when all tasks are read,
// since a task may need one that stands below it.
// Thread rule: one thread. Errors: INVALID_ARGUMENT with file, line and column.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "cli/workflow_file/document.h"
#include "cli/workflow_file/task_fields.h"
#include "common/domain/workflow_graph.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

class Links {
 public:
  // `others_exist`: what is not in the file may be there all the same, and the master checks it.
  explicit Links(bool others_exist) : others_exist_(others_exist) {}

  // The next task, its name set; its needs and uses are taken. The document must live.
  absl::Status Add(const Document::Node& key, WrittenTask& task);
  // Gives the nodes, those that were added, their needs; refuses what is unknown, and circles.
  absl::Status Tie(v1::WorkflowSpec* spec) const;

 private:
  struct Task {
    Document::Node key;
    std::vector<WrittenNeed> needs;
    std::vector<WrittenTask::Use> uses;
  };

  absl::StatusOr<NodeIndex> IndexOf(const Document::Node& at, const std::string& name) const;
  absl::StatusOr<std::vector<WorkflowEdge>> NeedsOf(NodeIndex index, v1::WorkflowNode* node) const;
  absl::Status CheckUse(const WrittenTask::Use& use, const v1::WorkflowNode& user, const v1::WorkflowSpec& spec) const;
  static absl::Status CheckIsNeeded(const WrittenTask::Use& use, const v1::WorkflowNode& user);
  absl::Status CircleRefusal(const WorkflowCycle& cycle, const v1::WorkflowSpec& spec) const;

  bool IsElsewhere(const std::string& name) const { return others_exist_ && !indices_.contains(name); }

  const bool others_exist_;
  std::vector<Task> tasks_;
  absl::flat_hash_map<std::string, NodeIndex> indices_;
};

}  // namespace muster::cli
