#include "cli/workflow_file/task_fields.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/workflow_file/matrix.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/scalar.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"
#include "common/convert/overlay.h"
#include "common/domain/batch_arguments.h"
#include "google/protobuf/descriptor.h"

namespace muster::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Node = Document::Node;

constexpr int64_t kMostRetries = 999;  // as `--retries`

// Another name for a field further down, as the flags of `muster submit` have them.
struct ShortField {
  const char* name;
  const char* parent;  // "": of the task itself
  const char* field;
};
constexpr ShortField kShortFields[] = {
    {"timeout", "", "run_timeout"},
    {"cwd", "command", "working_directory"},
    {"slots", "requirements", "slots"},
    {"cpu", "requirements", "cpu"},
    {"memory", "requirements", "memory_bytes"},
    {"disk", "requirements", "disk_bytes"},
    {"accept_exit", "validation", "accepted_exit_codes"},
    {"validate_output", "validation", "output_pattern"},
    {"validate", "validation", "command"},
    {"validate_timeout", "validation", "timeout"},
};
constexpr const char* kOwnFields[] = {"run", "env", "retries", "may_fail"};
// Of one task only: `defaults` have none of them.
constexpr const char* kNodeFields[] = {"needs", "matrix", "outputs", "if"};

struct RefusedField {
  const char* name;
  const char* why;
};
constexpr RefusedField kRefusedFields[] = {
    {"name", "a task's name is the word before it; take `name` out"},
    {"dependencies", "tasks of a workflow need one another by name; write needs: [TASK]"},
    {"start_time", "a task of a workflow starts when its needs hold; to start the workflow later, make a schedule of it"},
    {"in_workflow", "the master sets it; take `in_workflow` out"},
    {"owner", "a workflow's owner is who runs it; take `owner` out"},
    {"<<", "merge keys are not read; write what is shared under defaults"},
};

const ShortField* ShortOf(std::string_view key) {
  for (const ShortField& field : kShortFields) {
    if (key == field.name) return &field;
  }
  return nullptr;
}

template <size_t N>
bool IsOneOf(std::string_view key, const char* const (&names)[N]) {
  return std::any_of(std::begin(names), std::end(names), [&](const char* name) { return key == name; });
}

bool IsRefused(std::string_view key) {
  return std::any_of(std::begin(kRefusedFields), std::end(kRefusedFields), [&](const RefusedField& field) { return key == field.name; });
}

bool IsSet(const Message& message, const FieldDescriptor& field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) > 0 : message.GetReflection()->HasField(message, &field);
}

bool HasCommand(const v1::TaskSpec& task) { return task.command().argv_size() > 0 || task.command().has_script(); }

// Takes what a task says itself out of its defaults, where laying over would add to it.
void ClearReplaced(const v1::WorkflowNode& node, v1::TaskSpec* base) {
  const v1::TaskSpec& own = node.task();
  if (own.has_command() && HasCommand(own)) {
    base->mutable_command()->clear_argv();
    base->mutable_command()->clear_shell();
    base->mutable_command()->clear_script();
  }
  if (own.arguments_size() > 0) base->clear_arguments();
  const auto clear_named = [](const auto& names, auto* from, auto name_of) {
    absl::flat_hash_set<std::string> mine;
    for (const auto& entry : names) mine.insert(name_of(entry));
    if (mine.empty()) return;
    from->erase(std::remove_if(from->begin(), from->end(), [&](const auto& entry) { return mine.contains(name_of(entry)); }), from->end());
  };
  clear_named(own.labels(), base->mutable_labels(), [](const v1::Label& label) { return label.key(); });
  if (!base->has_command()) return;
  const auto name_of = [](const auto& variable) { return variable.name(); };
  clear_named(own.command().environment(), base->mutable_command()->mutable_environment(), name_of);
  clear_named(node.variables(), base->mutable_command()->mutable_environment(), name_of);
}

// The fields of one map, one after the other.
class FieldsOfTask {
 public:
  FieldsOfTask(const ParameterNames& parameters, const TaskTexts& texts, bool is_defaults, WrittenTask* to)
      : parameters_(parameters), texts_(texts), is_defaults_(is_defaults), to_(*to), task_(*to->node.mutable_task()),
        filler_([&texts](const FieldDescriptor& field, const Node& node, std::string* text) { return texts.Apply(field, node, text); }) {}

  absl::Status Read(const Node& map, bool has_name) {
    // What a short field says may not stand in the long one, too.
    const std::vector<Document::Entry> entries = map.entries();
    for (const Document::Entry& entry : entries) {
      const std::string_view key = entry.key.text();
      if (has_name && key == "name") continue;
      if (ShortOf(key) == nullptr && !IsOneOf(key, kOwnFields) && !IsOneOf(key, kNodeFields)) MUSTER_RETURN_IF_ERROR(ReadLong(entry));
    }
    for (const Document::Entry& entry : entries) {
      const std::string_view key = entry.key.text();
      if (const ShortField* const field = ShortOf(key)) MUSTER_RETURN_IF_ERROR(ReadShort(entry, *field));
      if (IsOneOf(key, kOwnFields)) MUSTER_RETURN_IF_ERROR(ReadOwn(entry));
      if (IsOneOf(key, kNodeFields)) MUSTER_RETURN_IF_ERROR(ReadOfNode(entry));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadLong(const Document::Entry& entry) {
    const FieldDescriptor* const field = FieldOf(*v1::TaskSpec::descriptor(), entry.key.text());
    const std::string_view name = field == nullptr ? entry.key.text() : std::string_view(field->name());
    for (const RefusedField& refused : kRefusedFields) {
      if (name == refused.name) return entry.key.Bad(refused.why);
    }
    if (field == nullptr) {
      const std::vector<std::string> names = is_defaults_ ? DefaultFieldNames() : TaskFieldNames();
      return entry.key.Bad(absl::StrCat("there is no field '", ShownWord(name), "' of a task", NearestText(name, {names.begin(), names.end()})));
    }
    if (field->number() != v1::TaskSpec::kCommandFieldNumber) return ReadOnce(entry, *field, &task_);
    if (entry.value.is_text()) return entry.value.Bad("a command is a list of words, as [./score, --fast]; a line for the shell goes under run");
    if (!entry.value.is_list()) return ReadCommandMap(entry, *field);
    if (entry.value.items().empty()) return entry.value.Bad("an empty command; give the program and its arguments");
    return filler_.FillField(entry.value, *v1::Command::descriptor()->FindFieldByNumber(v1::Command::kArgvFieldNumber), task_.mutable_command());
  }

  absl::Status ReadCommandMap(const Document::Entry& entry, const FieldDescriptor& field) {
    MUSTER_RETURN_IF_ERROR(ReadOnce(entry, field, &task_));
    if (!task_.command().shell()) return absl::OkStatus();
    for (const Node& word : entry.value.Find("argv").items()) MUSTER_RETURN_IF_ERROR(texts_.CheckShellLine(word, word.text()));
    return absl::OkStatus();
  }

  absl::Status ReadOnce(const Document::Entry& entry, const FieldDescriptor& field, Message* message) {
    if (IsSet(*message, field)) return entry.key.Bad(absl::StrCat("`", entry.key.str(), "` says what is said already in `", field.name(), "`; take one of them out"));
    return filler_.FillField(entry.value, field, message);
  }

  absl::Status ReadShort(const Document::Entry& entry, const ShortField& short_field) {
    if (entry.value.is_null()) return absl::OkStatus();
    Message* message = &task_;
    if (short_field.parent[0] != '\0') {
      message = task_.GetReflection()->MutableMessage(&task_, task_.GetDescriptor()->FindFieldByName(short_field.parent));
    }
    return ReadOnce(entry, *message->GetDescriptor()->FindFieldByName(short_field.field), message);
  }

  absl::Status ReadOwn(const Document::Entry& entry) {
    if (entry.value.is_null()) return absl::OkStatus();
    if (entry.key.text() == "run") return ReadRun(entry);
    if (entry.key.text() == "env") return ReadEnvironment(entry.value);
    if (entry.key.text() == "retries") return ReadRetries(entry);
    if (!entry.value.is_text() || (!IsTruth(entry.value.str()) && !IsFalsehood(entry.value.str()))) return WrongType(entry.value, "true or false");
    to_.node.set_may_fail(IsTruth(entry.value.str()));
    return absl::OkStatus();
  }

  absl::Status ReadRun(const Document::Entry& entry) {
    if (HasCommand(task_)) return entry.key.Bad("`run` and `command` are both there; take one of them out");
    if (!entry.value.is_text() || entry.value.text().empty()) return WrongType(entry.value, "a line for /bin/sh");
    const FieldDescriptor& argv = *v1::Command::descriptor()->FindFieldByNumber(v1::Command::kArgvFieldNumber);
    std::string line = entry.value.str();
    MUSTER_RETURN_IF_ERROR(texts_.CheckShellLine(entry.value, line));
    MUSTER_RETURN_IF_ERROR(texts_.Apply(argv, entry.value, &line));
    task_.mutable_command()->set_shell(true);
    task_.mutable_command()->add_argv(std::move(line));
    return absl::OkStatus();
  }

  absl::Status ReadRetries(const Document::Entry& entry) {
    int64_t retries = 0;
    if (!entry.value.is_text() || !absl::SimpleAtoi(entry.value.str(), &retries) || retries < 0 || retries > kMostRetries) {
      return WrongType(entry.value, absl::StrCat("a number within 0..", kMostRetries));
    }
    if (task_.retry().max_attempts() != 0) return entry.key.Bad("`retries` says what is said already in `retry.max_attempts`; take one of them out");
    task_.mutable_retry()->set_max_attempts(static_cast<uint32_t>(retries + 1));
    return absl::OkStatus();
  }

  absl::Status ReadEnvironment(const Node& map) {
    if (!map.is_map()) return WrongType(map, "a map, as {NAME: value}");
    const FieldDescriptor& value_field = *v1::EnvironmentVariable::descriptor()->FindFieldByNumber(v1::EnvironmentVariable::kValueFieldNumber);
    for (const Document::Entry& entry : map.entries()) {
      const std::string_view name = entry.key.text();
      if (name.empty() || name.find_first_of(std::string_view("= \t\r\n\0", 6)) != std::string_view::npos) {
        return entry.key.Bad(absl::StrCat("'", ShownWord(name), "' is no name of a variable; take out '=' and spaces"));
      }
      if (entry.value.is_null()) return entry.value.Bad("an empty value; write '' for an empty text");
      if (!entry.value.is_text()) return WrongType(entry.value, "a text");
      if (TakeOutput(entry)) continue;
      v1::EnvironmentVariable* const variable = task_.mutable_command()->add_environment();
      variable->set_name(entry.key.str());
      std::string text = entry.value.str();
      MUSTER_RETURN_IF_ERROR(texts_.Apply(value_field, entry.value, &text));
      variable->set_value(std::move(text));
    }
    return absl::OkStatus();
  }

  // NAME: "{{ task.output }}".
  bool TakeOutput(const Document::Entry& entry) {
    const std::optional<std::string> reference = WholeReference(entry.value.text());
    const std::optional<OutputName> output = reference ? ParseOutputName(*reference) : std::nullopt;
    if (is_defaults_ || !output || output->task == "matrix") return false;
    v1::OutputVariable* const variable = to_.node.add_variables();
    variable->set_name(entry.key.str());
    variable->set_node(output->task);
    variable->set_output(output->output);
    to_.uses.push_back({entry.value, output->task, output->output});
    return true;
  }

  absl::Status ReadOfNode(const Document::Entry& entry) {
    const std::string_view key = entry.key.text();
    if (is_defaults_) return entry.key.Bad(absl::StrCat("`", std::string(key), "` is each task's own and no default; write it in the tasks"));
    if (key == "outputs") return ReadOutputs(entry);
    if (key == "needs") {
      MUSTER_ASSIGN_OR_RETURN(to_.needs, ReadNeeds(entry.value));
    } else if (key == "if") {
      MUSTER_ASSIGN_OR_RETURN(*to_.node.mutable_condition(), ReadCondition(entry.value, texts_, parameters_));
      const v1::NodeCondition& condition = to_.node.condition();
      if (!condition.node().empty()) to_.uses.push_back({entry.value, condition.node(), condition.output()});
    }
    return absl::OkStatus();
  }

  absl::Status ReadOutputs(const Document::Entry& entry) {
    if (to_.node.rows_size() > 0) return entry.key.Bad("a task with a matrix has no outputs, since its rows would each have their own; let a task after it make one");
    if (!entry.value.is_list()) return WrongType(entry.value, "a list of names, as [version]");
    absl::flat_hash_set<std::string> seen;
    for (const Node& item : entry.value.items()) {
      if (!item.is_text() || !IsIdentifier(item.text())) {
        return item.Bad(absl::StrCat("'", ShownWord(item.text()), "' is no name of an output; give letters, digits and _, no digit first"));
      }
      if (!seen.insert(item.str()).second) return item.Bad(absl::StrCat("the output '", ShownWord(item.text()), "' a second time; take one out"));
      to_.node.add_outputs(item.str());
    }
    return absl::OkStatus();
  }

  const ParameterNames& parameters_;
  const TaskTexts& texts_;
  const bool is_defaults_;
  WrittenTask& to_;
  v1::TaskSpec& task_;
  const MessageFiller filler_;
};

absl::Status SetRows(const Matrix& matrix, const TaskTexts& texts, v1::WorkflowNode* node) {
  node->mutable_rows()->Reserve(static_cast<int>(matrix.rows.size()));
  for (const Matrix::Row& row : matrix.rows) {
    v1::ArgumentRow* const to = node->add_rows();
    for (const Node& value : row.values) {
      if (value.text().find("{{") != std::string_view::npos) MUSTER_RETURN_IF_ERROR(texts.CheckParameters(value, value.text()));
      to->add_values(value.str());
    }
  }
  return absl::OkStatus();
}

// A row's values would be appended to a command that has no place for them; an empty place keeps it as it was written.
absl::Status KeepAsWritten(const Node& key, v1::TaskSpec* task) {
  const bool is_command = task->executor().empty() || task->executor() == "command";
  auto* const words = is_command ? task->mutable_command()->mutable_argv() : task->mutable_arguments();
  if (words->empty()) {
    if (is_command) return absl::OkStatus();  // a script, which gets the row
    return key.Bad(absl::StrCat("a matrix for the executor ", ShownWord(task->executor()), " has no argument that takes its values; give it arguments: [\"{{ matrix.NAME }}\"]"));
  }
  for (const std::string& word : *words) {
    if (FillText(word, {}, 0) != word) return absl::OkStatus();
  }
  words->at(words->size() - 1) += kEmptyPlace;
  return absl::OkStatus();
}

absl::Status CheckRuns(const Node& key, const v1::TaskSpec& task) {
  if ((!task.executor().empty() && task.executor() != "command") || HasCommand(task)) return absl::OkStatus();
  return key.Bad("a task with nothing to run; give it run: LINE or command: [WORD, ...]");
}

}  // namespace

absl::Status TaskFieldReader::SetDefaults(const Node& map) {
  if (map.is_null()) return absl::OkStatus();
  if (!map.is_map()) return WrongType(map, "a map of a task's fields");
  for (const bool has_rows : {false, true}) {
    WrittenTask written;
    const TaskTexts texts(TaskTexts::Of::kDefaults, parameters_, nullptr, has_rows);
    MUSTER_RETURN_IF_ERROR(FieldsOfTask(parameters_, texts, true, &written).Read(map, false));
    (has_rows ? defaults_.among_rows : defaults_.plain) = written.node.task();
    defaults_.may_fail = written.node.may_fail();
  }
  defaults_.any = true;
  return absl::OkStatus();
}

absl::StatusOr<WrittenTask> TaskFieldReader::Read(const Node& key, const Node& map, size_t most_rows, bool has_name) const {
  if (!map.is_map() && !map.is_null()) return WrongType(map, "a map of the task's fields");
  WrittenTask written;
  written.node.set_may_fail(defaults_.may_fail);
  Matrix matrix;
  const Node matrix_node = map.Find("matrix");
  const bool has_rows = matrix_node && !matrix_node.is_null();
  if (has_rows) {
    MUSTER_ASSIGN_OR_RETURN(matrix, ReadMatrix(matrix_node, most_rows));
  }
  const TaskTexts texts(TaskTexts::Of::kTask, parameters_, has_rows ? &matrix.columns : nullptr, has_rows);
  MUSTER_RETURN_IF_ERROR(SetRows(matrix, texts, &written.node));
  MUSTER_RETURN_IF_ERROR(FieldsOfTask(parameters_, texts, false, &written).Read(map, has_name));
  if (defaults_.any) {
    v1::TaskSpec whole = has_rows ? defaults_.among_rows : defaults_.plain;
    ClearReplaced(written.node, &whole);
    convert::Overlay(written.node.task(), &whole);
    written.node.mutable_task()->Swap(&whole);
  }
  MUSTER_RETURN_IF_ERROR(CheckRuns(key, written.node.task()));
  if (has_rows) MUSTER_RETURN_IF_ERROR(KeepAsWritten(key, written.node.mutable_task()));
  return written;
}

std::vector<std::string> DefaultFieldNames() {
  std::vector<std::string> names;
  const google::protobuf::Descriptor& type = *v1::TaskSpec::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const std::string& name = type.field(i)->name();
    if (!IsRefused(name) && !IsOneOf(name, kNodeFields)) names.push_back(name);
  }
  for (const ShortField& field : kShortFields) names.push_back(field.name);
  names.insert(names.end(), std::begin(kOwnFields), std::end(kOwnFields));
  return names;
}

std::vector<std::string> TaskFieldNames() {
  std::vector<std::string> names = DefaultFieldNames();
  names.insert(names.end(), std::begin(kNodeFields), std::end(kNodeFields));
  return names;
}

}  // namespace muster::cli
