#include "cli/workflow_input.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/task_flags.h"
#include "cli/workflow_file/document.h"
#include "cli/workflow_file/workflow_file.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

constexpr size_t kMostFiles = 100'000;
constexpr char kHead[] = "workflow";

absl::StatusOr<WorkflowSource> ReadSource(const std::string& path) {
  MUSTER_ASSIGN_OR_RETURN(std::string text, ReadInput(path, Document::kMostBytes, "the workflow"));
  return WorkflowSource{path == "-" ? "stdin" : ToLine(path), std::move(text)};
}

bool IsTaskFile(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  return (extension == ".yaml" || extension == ".yml" || extension == ".json") && path.filename().string()[0] != '.';
}

absl::StatusOr<std::vector<std::filesystem::path>> FilesOf(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (!IsTaskFile(at->path()) || at->is_directory(error)) continue;
    files.push_back(at->path());
    if (files.size() > kMostFiles) return UsageError(absl::StrCat(folder, ": more than ", kMostFiles, " files; make several folders of it"));
  }
  if (error) return UsageError(absl::StrCat("cannot read the folder ", folder, ": ", error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<v1::WorkflowSpec> ReadFolder(const std::string& folder, FileKind kind) {
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, FilesOf(folder));
  std::optional<WorkflowSource> head;
  std::vector<TaskSource> tasks;
  size_t bytes = 0;
  for (const std::filesystem::path& file : files) {
    MUSTER_ASSIGN_OR_RETURN(WorkflowSource source, ReadSource(file.string()));
    bytes += source.text.size();
    if (bytes > Document::kMostBytes) return UsageError(absl::StrCat(folder, ": its files are larger than ", Document::kMostBytes >> 20, " MiB together; pass large data in files of their own"));
    if (file.stem() != kHead) {
      tasks.push_back({ToUtf8(file.stem().string()), std::move(source)});
    } else if (head) {
      return UsageError(absl::StrCat(source.name, ": a second file with the workflow's head, beside ", head->name, "; take one out"));
    } else {
      head = std::move(source);
    }
  }
  return ReadWorkflowFolder(ToLine(folder), std::move(head), std::move(tasks), kind);
}

}  // namespace

absl::StatusOr<v1::WorkflowSpec> ReadWorkflow(const std::string& path, FileKind kind) {
  std::error_code error;
  absl::StatusOr<v1::WorkflowSpec> spec;
  if (path != "-" && std::filesystem::is_directory(path, error)) {
    spec = ReadFolder(path, kind);
  } else {
    MUSTER_ASSIGN_OR_RETURN(WorkflowSource source, ReadSource(path));
    spec = ReadWorkflowText(std::move(source), kind);
  }
  if (spec.ok()) return spec;
  return UsageError(std::string(spec.status().message()));
}

void SetOwner(const std::string& owner, v1::WorkflowSpec* spec) {
  for (v1::WorkflowNode& node : *spec->mutable_nodes()) {
    if (node.task().owner().empty()) node.mutable_task()->set_owner(owner);
  }
}

absl::Status ReadParameters(const std::vector<std::string>& sets, google::protobuf::RepeatedPtrField<v1::ParameterValue>* values) {
  for (const std::string& set : sets) {
    const size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0) {
      return UsageError(absl::StrCat("--set ", set, ": write NAME=VALUE, as --set city=Bonn"));
    }
    v1::ParameterValue* const value = values->Add();
    value->set_name(set.substr(0, equals));
    value->set_value(set.substr(equals + 1));
  }
  return absl::OkStatus();
}

bool SendInParts(v1::WorkflowSpec spec, const std::function<bool(v1::WorkflowSpec part)>& send, size_t part_bytes) {
  google::protobuf::RepeatedPtrField<v1::WorkflowNode> nodes;
  nodes.Swap(spec.mutable_nodes());
  v1::WorkflowSpec part = std::move(spec);
  size_t bytes = 0;
  for (v1::WorkflowNode& node : nodes) {
    const size_t size = node.ByteSizeLong();
    if (part.nodes_size() > 0 && bytes + size > part_bytes) {
      if (!send(std::exchange(part, v1::WorkflowSpec()))) return false;
      bytes = 0;
    }
    bytes += size;
    part.mutable_nodes()->Add()->Swap(&node);
  }
  return send(std::move(part));
}

}  // namespace muster::cli
