// A workflow as people write it, in YAML or JSON: docs/workflows.md has the form, docs/workflow.schema.json says it to editors.
//
//   ReadWorkflowText("nightly.yaml", text) -> WorkflowSpec, parameters declared and not yet filled in
//   nightly.yaml:7:5: there is no field 'comand' of a task; did you mean 'command'?
//
// What it gives is whole and sound as far as a file can tell: names, needs without circles, references, types, sizes. What the
// cluster knows (queues, executors, their limits) is the master's to check.
// Thread rule: pure functions. Errors: INVALID_ARGUMENT, one line: file, line, column, what, and what to do. Bounds: those of
// Document and of a workflow (common/domain/workflow_graph.h); linear in the file and what its matrices make.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

struct WorkflowSource {
  std::string name;  // for messages: its path
  std::string text;
};

enum class FileKind {
  kWorkflow,
  kMoreTasks,  // for a workflow that is there: its tasks may be needed, and only the master knows them; of the head there
               // are parameters and defaults alone
};

absl::StatusOr<v1::WorkflowSpec> ReadWorkflowText(WorkflowSource file, FileKind kind = FileKind::kWorkflow);

// A folder: each file is one task, named as given unless it has a `name`.
struct TaskSource {
  std::string task;
  WorkflowSource file;
};
// `head` has everything but tasks; `folder` is for messages.
absl::StatusOr<v1::WorkflowSpec> ReadWorkflowFolder(const std::string& folder, std::optional<WorkflowSource> head, std::vector<TaskSource> tasks,
                                                   FileKind kind = FileKind::kWorkflow);

// Every field of the file's top, for the schema's test.
std::vector<std::string> WorkflowFieldNames();

}  // namespace muster::cli
