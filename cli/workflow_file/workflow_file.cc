#include "cli/workflow_file/workflow_file.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/workflow_file/links.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/task_fields.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"
#include "common/domain/workflow_graph.h"

namespace muster::cli {
namespace {

using Node = Document::Node;

constexpr const char* kHeadFields[] = {"name", "parameters", "max_parallel", "on_failure", "labels", "defaults"};
constexpr int64_t kMostParallel = 1'000'000;
constexpr size_t kMostParameters = 1000;  // as convert::FillParameters

absl::Status ReadParallel(const Node& node, v1::WorkflowSpec* spec) {
  int64_t most = 0;
  if (!node.is_text() || !absl::SimpleAtoi(node.str(), &most) || most < 1 || most > kMostParallel) {
    return WrongType(node, absl::StrCat("a number within 1..", kMostParallel));
  }
  spec->set_max_parallel(static_cast<int32_t>(most));
  return absl::OkStatus();
}

// {default: Bonn, description: where}, or the default alone.
absl::Status ReadParameter(const Document::Entry& entry, v1::WorkflowParameter* parameter) {
  if (!IsIdentifier(entry.key.text())) {
    return entry.key.Bad(absl::StrCat("'", ShownWord(entry.key.text()), "' is no name of a parameter; give letters, digits and _, no digit first"));
  }
  parameter->set_name(entry.key.str());
  if (entry.value.is_null()) return absl::OkStatus();
  if (entry.value.is_text()) {
    parameter->set_default_value(entry.value.str());
    return absl::OkStatus();
  }
  if (!entry.value.is_map()) return WrongType(entry.value, "a default, or {default: VALUE, description: TEXT}");
  for (const Document::Entry& field : entry.value.entries()) {
    const std::string_view key = field.key.text();
    if (key != "default" && key != "description") {
      return field.key.Bad(absl::StrCat("there is no field '", ShownWord(key), "' of a parameter", NearestText(key, {"default", "description"})));
    }
    if (field.value.is_null()) continue;
    if (!field.value.is_text()) return WrongType(field.value, "a text");
    key == "default" ? parameter->set_default_value(field.value.str()) : parameter->set_description(field.value.str());
  }
  return absl::OkStatus();
}

// Reads a head and tasks, then ties them together.
class WorkflowReader {
 public:
  explicit WorkflowReader(FileKind kind) : kind_(kind), tasks_(parameters_), links_(kind == FileKind::kMoreTasks) {}

  // Everything but tasks.
  absl::Status ReadHead(const Node& map) {
    // Texts of what follows may have parameters, wherever in the file they are declared.
    if (const Node parameters = map.Find("parameters")) MUSTER_RETURN_IF_ERROR(ReadParameters(parameters));
    for (const Document::Entry& entry : map.entries()) {
      if (entry.key.text() != "tasks") MUSTER_RETURN_IF_ERROR(ReadHeadField(entry));
    }
    return absl::OkStatus();
  }

  absl::Status ReadTask(const Node& key, std::string name, const Node& map, bool has_name) {
    MUSTER_RETURN_IF_ERROR(CheckName(key, name));
    if (name == "matrix") return key.Bad("'matrix' is no name for a task, since {{ matrix.x }} is a value of a task's own matrix; give it another one");
    MUSTER_ASSIGN_OR_RETURN(WrittenTask written, tasks_.Read(key, map, kMostWorkflowTasks, has_name));
    task_count_ += std::max<size_t>(1, static_cast<size_t>(written.node.rows_size()));
    if (task_count_ > kMostWorkflowTasks) {
      return key.Bad(absl::StrCat("with this one there are ", task_count_, " tasks, rows of matrices included; a workflow has at most ", kMostWorkflowTasks, ", so make several of it"));
    }
    written.node.set_name(std::move(name));
    MUSTER_RETURN_IF_ERROR(links_.Add(key, written));
    spec_.mutable_nodes()->Add()->Swap(&written.node);
    return absl::OkStatus();
  }

  // `of`: what there is nothing to run in.
  absl::StatusOr<v1::WorkflowSpec> Finish(const Node& of) {
    if (spec_.nodes().empty()) return of.Bad("a workflow without tasks; give it tasks: {NAME: {run: LINE}}");
    MUSTER_RETURN_IF_ERROR(links_.Tie(&spec_));
    return std::move(spec_);
  }

 private:
  absl::Status ReadHeadField(const Document::Entry& entry) {
    const std::string_view key = entry.key.text();
    if (entry.value.is_null() || key == "parameters") return CheckHeadField(entry.key);
    if (kind_ == FileKind::kMoreTasks && key != "defaults") {
      MUSTER_RETURN_IF_ERROR(CheckHeadField(entry.key));
      return entry.key.Bad(absl::StrCat("'", ShownWord(key), "' is the whole workflow's; more tasks for it come with parameters, defaults and tasks alone"));
    }
    if (key == "max_parallel") return ReadParallel(entry.value, &spec_);
    if (key == "defaults") return tasks_.SetDefaults(entry.value);
    MUSTER_RETURN_IF_ERROR(CheckHeadField(entry.key));
    const MessageFiller filler([](const google::protobuf::FieldDescriptor&, const Node& node, std::string* text) {
      return text->find("{{") == std::string::npos ? absl::OkStatus() : node.Bad("parameters are filled into tasks alone; write the value");
    });
    MUSTER_RETURN_IF_ERROR(filler.FillField(entry.value, *FieldOf(*v1::WorkflowSpec::descriptor(), key), &spec_));
    return key == "name" ? CheckName(entry.value, spec_.name()) : absl::OkStatus();
  }

  static absl::Status CheckHeadField(const Node& key) {
    if (std::any_of(std::begin(kHeadFields), std::end(kHeadFields), [&](const char* name) { return key.text() == name; })) return absl::OkStatus();
    const std::vector<std::string> names = WorkflowFieldNames();
    return key.Bad(absl::StrCat("there is no field '", ShownWord(key.text()), "' of a workflow", NearestText(key.text(), {names.begin(), names.end()})));
  }

  absl::Status ReadParameters(const Node& map) {
    if (map.is_null()) return absl::OkStatus();
    if (!map.is_map()) return WrongType(map, "a map of parameters");
    for (const Document::Entry& entry : map.entries()) {
      MUSTER_RETURN_IF_ERROR(ReadParameter(entry, spec_.add_parameters()));
      parameters_.insert(entry.key.str());
      if (parameters_.size() > kMostParameters) return entry.key.Bad(absl::StrCat("more than ", kMostParameters, " parameters; pass many values in a file"));
    }
    return absl::OkStatus();
  }

  const FileKind kind_;
  ParameterNames parameters_;
  TaskFieldReader tasks_;
  Links links_;
  v1::WorkflowSpec spec_;
  size_t task_count_ = 0;
};

absl::Status CheckTop(const Node& root) {
  if (root.is_map()) return absl::OkStatus();
  return root.Bad(root.is_null() ? "nothing in it; a workflow is tasks: {NAME: {run: LINE}}" : absl::StrCat(std::string(KindText(root.kind())), " where a workflow belongs, as tasks: {NAME: {run: LINE}}"));
}

}  // namespace

absl::StatusOr<v1::WorkflowSpec> ReadWorkflowText(WorkflowSource file, FileKind kind) {
  MUSTER_ASSIGN_OR_RETURN(const Document document, Document::Parse(std::move(file.name), std::move(file.text)));
  const Node root = document.root();
  MUSTER_RETURN_IF_ERROR(CheckTop(root));
  WorkflowReader reader(kind);
  MUSTER_RETURN_IF_ERROR(reader.ReadHead(root));
  const Node tasks = root.Find("tasks");
  if (!tasks || tasks.is_null()) return reader.Finish(tasks ? tasks : root);
  if (!tasks.is_map()) return WrongType(tasks, "a map of tasks, the name of each before it,");
  for (const Document::Entry& entry : tasks.entries()) MUSTER_RETURN_IF_ERROR(reader.ReadTask(entry.key, entry.key.str(), entry.value, false));
  return reader.Finish(tasks);
}

absl::StatusOr<v1::WorkflowSpec> ReadWorkflowFolder(const std::string& folder, std::optional<WorkflowSource> head, std::vector<TaskSource> tasks,
                                                   FileKind kind) {
  WorkflowReader reader(kind);
  std::vector<Document> documents;  // places in them are looked at to the end
  documents.reserve(tasks.size() + 1);
  if (head) {
    MUSTER_ASSIGN_OR_RETURN(Document document, Document::Parse(std::move(head->name), std::move(head->text)));
    const Node root = documents.emplace_back(std::move(document)).root();
    if (!root.is_null()) MUSTER_RETURN_IF_ERROR(CheckTop(root));
    if (const Node inner = root.Find("tasks")) return inner.Bad("in a folder each task is a file of its own; move these there, or run this file alone");
    MUSTER_RETURN_IF_ERROR(reader.ReadHead(root));
  }
  if (tasks.empty()) return absl::InvalidArgumentError(absl::StrCat(folder, ": no tasks in this folder; each is a file NAME.yaml, NAME.yml or NAME.json"));
  for (TaskSource& task : tasks) {
    MUSTER_ASSIGN_OR_RETURN(Document document, Document::Parse(std::move(task.file.name), std::move(task.file.text)));
    const Node root = documents.emplace_back(std::move(document)).root();
    const Node name = root.Find("name");
    if (name && !name.is_text()) return WrongType(name, "a name");
    MUSTER_RETURN_IF_ERROR(reader.ReadTask(name ? name : root, name ? name.str() : std::move(task.task), root, true));
  }
  return reader.Finish(documents.back().root());
}

std::vector<std::string> WorkflowFieldNames() {
  std::vector<std::string> names(std::begin(kHeadFields), std::end(kHeadFields));
  names.push_back("tasks");
  return names;
}

}  // namespace muster::cli
