#include "common/convert/workflow_parameters.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/nearest.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/domain/batch_arguments.h"
#include "common/domain/shell_line.h"
#include "common/domain/text_reference.h"
#include "google/protobuf/descriptor.pb.h"

namespace muster::convert {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMostParameters = 1000;
constexpr int kMostDepth = 100;  // as protobuf's own
constexpr size_t kMostNameChanges = 3;

using ParameterValues = absl::flat_hash_map<std::string, std::optional<std::string>>;

absl::Status BadParameters(std::string_view message) {
  return Refuse(absl::StatusCode::kInvalidArgument, "BAD_PARAMETERS", message);
}

std::string DidYouMean(std::string_view name, const ParameterValues& values) {
  std::vector<std::string_view> names;
  for (const auto& [known, value] : values) names.push_back(known);
  std::sort(names.begin(), names.end());
  const std::optional<size_t> nearest = NearestOf(name.substr(0, 128), names, kMostNameChanges);
  if (nearest) return absl::StrCat("; did you mean ", std::string(names[*nearest]), "?");
  if (names.empty()) return "; the workflow declares none";
  names.resize(std::min<size_t>(names.size(), 10));
  return absl::StrCat("; it declares ", absl::StrJoin(std::vector<std::string>(names.begin(), names.end()), ", "));
}

absl::StatusOr<ParameterValues> Defaults(const v1::WorkflowSpec& spec) {
  if (spec.parameters_size() > kMostParameters) {
    return BadParameters(absl::StrCat("the workflow has ", spec.parameters_size(), " parameters; at most ", kMostParameters));
  }
  ParameterValues values;
  for (const v1::WorkflowParameter& parameter : spec.parameters()) {
    if (!IsParameterName(parameter.name())) {
      return BadParameters(absl::StrCat("'", ToLine(parameter.name(), 60), "' is no name for a parameter; give letters, digits and _, no digit first"));
    }
    std::optional<std::string> value;
    if (parameter.has_default_value()) value = parameter.default_value();
    if (!values.emplace(parameter.name(), std::move(value)).second) {
      return BadParameters(absl::StrCat("the parameter ", parameter.name(), " is declared twice; take one out"));
    }
  }
  return values;
}

absl::Status PutIn(const google::protobuf::RepeatedPtrField<v1::ParameterValue>& given, ParameterValues* values) {
  absl::flat_hash_map<std::string, bool> seen;
  for (const v1::ParameterValue& value : given) {
    const auto found = values->find(value.name());
    if (found == values->end()) {
      return BadParameters(absl::StrCat("the workflow has no parameter '", ToLine(value.name(), 60), "'", DidYouMean(value.name(), *values)));
    }
    if (!seen.emplace(value.name(), true).second) {
      return BadParameters(absl::StrCat("the parameter ", value.name(), " is given twice; take one out"));
    }
    found->second = value.value();
  }
  std::vector<std::string> missing;
  for (const auto& [name, value] : *values) {
    if (!value) missing.push_back(name);
  }
  if (missing.empty()) return absl::OkStatus();
  std::sort(missing.begin(), missing.end());
  return BadParameters(absl::StrCat("no value for ", missing.size() == 1 ? "the parameter " : "the parameters ", absl::StrJoin(missing, ", "),
                                    "; give ", missing.size() == 1 ? "it" : "them", " with --set ", missing[0], "=VALUE"));
}

// How a value must stand where it is put.
struct Place {
  bool in_shell_line = false;
  bool among_places = false;  // a row's values are put in afterwards
};

bool IsShellLine(const Message& message, const FieldDescriptor& field) {
  if (message.GetDescriptor() == v1::Command::descriptor()) {
    return field.number() == v1::Command::kArgvFieldNumber && static_cast<const v1::Command&>(message).shell();
  }
  return message.GetDescriptor() == v1::Validation::descriptor() && field.number() == v1::Validation::kCommandFieldNumber;
}

class TextFiller {
 public:
  // `values` null: whatever is asked for is "x".
  TextFiller(std::string node, const ParameterValues* values, size_t* added) : node_(std::move(node)), values_(values), added_(*added) {}

  absl::Status FillText(std::string* text, Place place) {
    if (!HasReferenceMarks(*text)) return absl::OkStatus();
    std::string filled;
    std::string_view rest = *text;
    ShellLine line;
    for (size_t read = 0; const auto reference = NextReference(&rest, &filled); read = filled.size()) {
      const std::string piece = filled.substr(read);
      line.Read(place.among_places ? muster::FillText(piece, {}, 1, FillFor::kShell) : piece);  // as the worker will have it
      if (place.in_shell_line && !line.TakesWord()) {
        return BadParameters(absl::StrCat(node_, ": {{ ", std::string(reference->name),
                                          " }} stands where its value could run (within quotes, arithmetic, or after a here-document, backquotes, case, eval); put it in "
                                          "the environment and use the variable"));
      }
      MUSTER_ASSIGN_OR_RETURN(std::string value, ValueOf(reference->name));
      line.Read("''");  // the value
      if (place.in_shell_line) value = muster::FillText("{1}", {value}, 1, FillFor::kShell);
      if (place.among_places) value = WithoutPlaces(value);
      filled += value;
      if (added_ + filled.size() > kMostParameterBytes + text->size()) {
        return BadParameters(absl::StrCat(node_, ": the values of parameters make the workflow larger by more than ", kMostParameterBytes >> 20, " MiB; pass large data in files"));
      }
    }
    if (filled.size() > text->size()) added_ += filled.size() - text->size();
    text->swap(filled);
    return absl::OkStatus();
  }

  // Goes down into messages of messages.
  absl::Status FillMessage(Message* message, bool has_rows, int depth = 0) {
    if (depth > kMostDepth) return BadParameters(absl::StrCat(node_, ": nested too deeply"));
    const Reflection& reflection = *message->GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection.ListFields(*message, &fields);
    const bool is_entry = message->GetDescriptor()->options().map_entry();
    for (const FieldDescriptor* field : fields) {
      if (is_entry && field->number() == 1) continue;
      const int count = field->is_repeated() ? reflection.FieldSize(*message, field) : 1;
      for (int i = 0; i < count; ++i) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          Message* inner = field->is_repeated() ? reflection.MutableRepeatedMessage(message, field, i) : reflection.MutableMessage(message, field);
          MUSTER_RETURN_IF_ERROR(FillMessage(inner, has_rows, depth + 1));
        } else if (field->type() == FieldDescriptor::TYPE_STRING) {
          MUSTER_RETURN_IF_ERROR(FillField(message, field, field->is_repeated() ? i : -1, has_rows));
        }
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::string> ValueOf(std::string_view name) const {
    if (values_ == nullptr) {
      if (IsParameterName(name)) return std::string("x");
      return BadParameters(absl::StrCat(node_, ": {{ ", std::string(name), " }} is no name that a parameter can have"));
    }
    const auto found = values_->find(absl::string_view(name.data(), name.size()));
    if (found != values_->end()) return *found->second;
    return BadParameters(absl::StrCat(node_, ": {{ ", std::string(name), " }} is no parameter", DidYouMean(name, *values_)));
  }

  absl::Status FillField(Message* message, const FieldDescriptor* field, int index, bool has_rows) {
    const Reflection& reflection = *message->GetReflection();
    std::string scratch;
    const std::string& now = index < 0 ? reflection.GetStringReference(*message, field, &scratch)
                                       : reflection.GetRepeatedStringReference(*message, field, index, &scratch);
    if (!HasReferenceMarks(now)) return absl::OkStatus();
    std::string text = now;
    MUSTER_RETURN_IF_ERROR(FillText(&text, {.in_shell_line = IsShellLine(*message, *field), .among_places = has_rows && TakesRowValues(*field)}));
    if (index < 0) {
      reflection.SetString(message, field, std::move(text));
    } else {
      reflection.SetRepeatedString(message, field, index, std::move(text));
    }
    return absl::OkStatus();
  }

  const std::string node_;
  const ParameterValues* const values_;
  size_t& added_;
};

absl::Status FillNode(const ParameterValues& values, size_t* added, v1::WorkflowNode* node) {
  TextFiller filler(ToLine(node->name(), 128), &values, added);
  MUSTER_RETURN_IF_ERROR(filler.FillMessage(node->mutable_task(), node->rows_size() > 0));
  for (v1::ArgumentRow& row : *node->mutable_rows()) {
    for (std::string& value : *row.mutable_values()) MUSTER_RETURN_IF_ERROR(filler.FillText(&value, {}));
  }
  if (!node->has_condition()) return absl::OkStatus();
  MUSTER_RETURN_IF_ERROR(filler.FillText(node->mutable_condition()->mutable_text(), {}));
  return filler.FillText(node->mutable_condition()->mutable_right(), {});
}

}  // namespace

bool IsParameterName(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= 128 && is_letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool TakesRowValues(const FieldDescriptor& field) {
  return &field == v1::Command::descriptor()->FindFieldByNumber(v1::Command::kArgvFieldNumber) ||
         &field == v1::Command::descriptor()->FindFieldByNumber(v1::Command::kWorkingDirectoryFieldNumber) ||
         &field == v1::EnvironmentVariable::descriptor()->FindFieldByNumber(v1::EnvironmentVariable::kValueFieldNumber) ||
         &field == v1::TaskSpec::descriptor()->FindFieldByNumber(v1::TaskSpec::kArgumentsFieldNumber) ||
         &field == v1::Validation::descriptor()->FindFieldByNumber(v1::Validation::kCommandFieldNumber);
}

absl::Status FillParameters(const google::protobuf::RepeatedPtrField<v1::ParameterValue>& given, v1::WorkflowSpec* spec, int first) {
  MUSTER_ASSIGN_OR_RETURN(ParameterValues values, Defaults(*spec));
  MUSTER_RETURN_IF_ERROR(PutIn(given, &values));
  size_t added = 0;
  for (int i = first; i < spec->nodes_size(); ++i) MUSTER_RETURN_IF_ERROR(FillNode(values, &added, spec->mutable_nodes(i)));
  return absl::OkStatus();
}

absl::Status FillForTrial(v1::TaskSpec* task) {
  size_t added = 0;
  return TextFiller("task", nullptr, &added).FillMessage(task, false);
}

}  // namespace muster::convert
