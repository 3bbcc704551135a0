// One task of a workflow file: its map of fields as a node of the workflow.
//
// Fields are those of muster.v1.TaskSpec, and short ones: run, env, timeout, ... (kShortFields in the source); besides needs,
// matrix, outputs, if, may_fail.
// Thread rule: const calls from any thread. Errors: INVALID_ARGUMENT with file, line and column.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/workflow_file/document.h"
#include "cli/workflow_file/needs.h"
#include "cli/workflow_file/texts.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

// What tasks have unless they say otherwise. A text reads differently in a task with a matrix.
struct TaskDefaults {
  v1::TaskSpec plain, among_rows;
  bool may_fail = false;
  bool any = false;
};

// A task, and what it says of others, with the places: that is looked at when all tasks are known.
struct WrittenTask {
  struct Use {
    Document::Node at;
    std::string task, output;
  };
  v1::WorkflowNode node;  // without name and needs
  std::vector<WrittenNeed> needs;
  std::vector<Use> uses;
};

class TaskFieldReader {
 public:
  // The parameters must live.
  explicit TaskFieldReader(const ParameterNames& parameters) : parameters_(parameters) {}

  absl::Status SetDefaults(const Document::Node& map);
  // `key` is for messages about the whole; `has_name`: the map may have a `name`, which is not looked at.
  absl::StatusOr<WrittenTask> Read(const Document::Node& key, const Document::Node& map, size_t most_rows, bool has_name = false) const;

 private:
  const ParameterNames& parameters_;
  TaskDefaults defaults_;
};

// Every field that a task may have, and those of them that `defaults` may; for the schema's test.
std::vector<std::string> TaskFieldNames();
std::vector<std::string> DefaultFieldNames();

}  // namespace muster::cli
