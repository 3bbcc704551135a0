#include "cli/workflow_file/texts.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"
#include "common/convert/workflow_parameters.h"
#include "common/domain/batch_arguments.h"
#include "common/domain/shell_line.h"
#include "common/domain/text_reference.h"
#include "muster/v1/task.pb.h"

namespace muster::cli {
namespace {

using google::protobuf::FieldDescriptor;
using Node = Document::Node;

constexpr char kMatrix[] = "matrix.";

bool IsOfMatrix(std::string_view name) { return absl::StartsWith(absl::string_view(name.data(), name.size()), kMatrix); }

// A piece of a text that is meant as it is, for a worker and a master that would both read braces.
std::string Kept(const std::string& piece, bool beside_parameters) {
  const bool has_places = FillText(piece, {}, 0) != piece;
  return has_places || beside_parameters || HasReferenceMarks(piece) ? WithoutPlaces(piece) : piece;
}

std::string InBraces(std::string_view name) { return absl::StrCat("{{ ", ShownWord(name), " }}"); }

}  // namespace

absl::Status TaskTexts::Apply(const FieldDescriptor& field, const Node& node, std::string* text) const {
  const bool among_places = has_rows_ && convert::TakesRowValues(field);
  if (field.containing_type() == v1::Validation::descriptor() && field.number() == v1::Validation::kCommandFieldNumber) {
    MUSTER_RETURN_IF_ERROR(CheckShellLine(node, *text));
  }
  if (!HasReferenceMarks(*text)) {
    if (among_places) *text = Kept(*text, false);
    return absl::OkStatus();
  }
  struct Piece {
    std::string literal, reference;
  };
  std::vector<Piece> pieces;
  bool has_parameters = false;
  std::string_view rest = *text;
  while (true) {
    Piece& piece = pieces.emplace_back();
    const auto reference = NextReference(&rest, &piece.literal);
    if (!reference) break;
    if (IsOfMatrix(reference->name)) {
      MUSTER_ASSIGN_OR_RETURN(piece.reference, PlaceOf(node, reference->name, field));
    } else {
      MUSTER_RETURN_IF_ERROR(CheckParameter(node, reference->name));
      piece.reference = InBraces(reference->name);
      has_parameters = true;
    }
  }
  if (!among_places) return absl::OkStatus();  // the master takes it apart again
  text->clear();
  for (const Piece& piece : pieces) absl::StrAppend(text, Kept(piece.literal, has_parameters), piece.reference);
  return absl::OkStatus();
}

absl::Status TaskTexts::CheckShellLine(const Node& node, std::string_view line) const {
  ShellLine shell;
  std::string before;
  for (size_t read = 0; const auto reference = NextReference(&line, &before); read = before.size()) {
    shell.Read(std::string_view(before).substr(read));
    if (!shell.TakesWord()) {
      return node.Bad(absl::StrCat(InBraces(reference->name), " stands where its value could run (within quotes, arithmetic, or after a here-document, backquotes, case, eval); it is a quoted word by itself, so close the quotes before it, or put it in env and use the variable"));
    }
    shell.Read("''");  // the value
  }
  return absl::OkStatus();
}

absl::Status TaskTexts::CheckParameters(const Node& node, std::string_view text) const {
  std::string before;
  while (const auto reference = NextReference(&text, &before)) {
    if (IsOfMatrix(reference->name)) return node.Bad(absl::StrCat(InBraces(reference->name), " cannot stand here; the task's condition and the matrix itself are of all its rows"));
    MUSTER_RETURN_IF_ERROR(CheckParameter(node, reference->name));
  }
  return absl::OkStatus();
}

absl::Status TaskTexts::CheckParameter(const Node& node, std::string_view name) const {
  if (parameters_.contains(absl::string_view(name.data(), name.size()))) return absl::OkStatus();
  if (const auto output = ParseOutputName(name)) {
    if (of_ == Of::kDefaults) return node.Bad(absl::StrCat(InBraces(name), " in defaults; an output goes into the env of the task that needs it"));
    return node.Bad(absl::StrCat(InBraces(name), " may only be the whole of a value in env, or in if; put it in env, as ",
                                 absl::AsciiStrToUpper(ShownWord(output->output)), ": \"", InBraces(name), "\", and use $",
                                 absl::AsciiStrToUpper(ShownWord(output->output))));
  }
  std::vector<std::string_view> names(parameters_.begin(), parameters_.end());
  std::sort(names.begin(), names.end());
  const std::string nearest = NearestText(name, names);
  return node.Bad(absl::StrCat(InBraces(name), " is no parameter", nearest.empty() ? "; declare it under parameters, or write \\{{ for the braces themselves" : nearest));
}

absl::StatusOr<std::string> TaskTexts::PlaceOf(const Node& node, std::string_view name, const FieldDescriptor& field) const {
  if (of_ == Of::kDefaults) return node.Bad(absl::StrCat(InBraces(name), " in defaults; a matrix is the task's own, so write it there"));
  const std::string column(name.substr(sizeof(kMatrix) - 1));
  if (columns_ == nullptr) return node.Bad(absl::StrCat(InBraces(name), " in a task without a matrix; give it one, as matrix: {", ShownWord(column), ": [1, 2]}"));
  const auto found = std::find(columns_->begin(), columns_->end(), column);
  if (found == columns_->end()) return node.Bad(absl::StrCat("the matrix has no '", ShownWord(column), "'", NearestText(column, {columns_->begin(), columns_->end()})));
  if (!convert::TakesRowValues(field)) return node.Bad(absl::StrCat(InBraces(name), " cannot stand here; it can in run, command, env, arguments, working_directory and validate"));
  return absl::StrCat("{", found - columns_->begin() + 1, "}");
}

std::optional<OutputName> ParseOutputName(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) return std::nullopt;
  return OutputName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

std::optional<std::string> WholeReference(std::string_view text) {
  std::string outside;
  const auto reference = NextReference(&text, &outside);
  if (!reference) return std::nullopt;
  std::string name(reference->name);
  outside += text;
  if (!absl::StripAsciiWhitespace(outside).empty()) return std::nullopt;
  return name;
}

}  // namespace muster::cli
