// `{{ ... }}` in the texts of a task: parameters stay for the master, values of the matrix become places of the batch's rows
// ({1}, {2}, ...), outputs of other tasks are refused but where they may stand.
//
// In a task with a matrix, braces of the user's own that a worker would take for a place are kept from it
// (common/domain/batch_arguments.h), so any text may stand in any command.
// Thread rule: pure. Errors: INVALID_ARGUMENT with file, line and column.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "cli/workflow_file/document.h"
#include "google/protobuf/descriptor.h"

namespace muster::cli {

using ParameterNames = absl::flat_hash_set<std::string>;

class TaskTexts {
 public:
  enum class Of { kTask, kDefaults };

  // `columns` null: there is no matrix. `has_rows`: it will be part of a task with one.
  TaskTexts(Of of, const ParameterNames& parameters, const std::vector<std::string>* columns, bool has_rows)
      : of_(of), parameters_(parameters), columns_(columns), has_rows_(has_rows) {}

  // MessageFiller's rule.
  absl::Status Apply(const google::protobuf::FieldDescriptor& field, const Document::Node& node, std::string* text) const;
  // Of a line for a shell, where no value may stand within quotes.
  absl::Status CheckShellLine(const Document::Node& node, std::string_view line) const;
  // Of a text that may have parameters and nothing else.
  absl::Status CheckParameters(const Document::Node& node, std::string_view text) const;

 private:
  absl::Status CheckParameter(const Document::Node& node, std::string_view name) const;
  absl::StatusOr<std::string> PlaceOf(const Document::Node& node, std::string_view name, const google::protobuf::FieldDescriptor& field) const;

  const Of of_;
  const ParameterNames& parameters_;
  const std::vector<std::string>* const columns_;
  const bool has_rows_;
};

struct OutputName {
  std::string task, output;
};
// "fetch.version"; none: there is no '.', or nothing before or after the last one.
std::optional<OutputName> ParseOutputName(std::string_view name);
// What `{{ name }}` alone, with spaces around it, refers to.
std::optional<std::string> WholeReference(std::string_view text);

}  // namespace muster::cli
