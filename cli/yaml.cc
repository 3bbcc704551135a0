#include "cli/yaml.h"

#include <cctype>
#include <cstdlib>

#include <yaml-cpp/yaml.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/workflow_file/scalar.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr int kMaxDepth = 64;
constexpr size_t kMostGrowth = 16;            // by aliases
constexpr size_t kAlwaysFine = size_t{1} << 16;

std::string JsonText(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += absl::StrFormat("\\u%04x", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string Scalar(const YAML::Node& node, const FieldDescriptor* field) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return JsonText(text);  // it was quoted
  if (field != nullptr && (field->type() == FieldDescriptor::TYPE_STRING || field->type() == FieldDescriptor::TYPE_BYTES)) {
    return JsonText(text);
  }
  if (field != nullptr && field->type() == FieldDescriptor::TYPE_MESSAGE &&
      field->message_type()->full_name() == "google.protobuf.Duration") {
    return JsonText(DurationJson(text));
  }
  if (IsNull(text)) return "null";
  if (IsTruth(text)) return "true";
  if (IsFalsehood(text)) return "false";
  return IsNumber(text) && text[0] != '+' && text[0] != '.' ? text : JsonText(text);
}

std::string Where(const YAML::Mark& mark) { return absl::StrCat("line ", mark.line + 1, ", column ", mark.column + 1); }

// An alias costs its writer two bytes and may stand for all that was written before, itself included: depth and size of
// what comes out are bounded.
class JsonWriter {
 public:
  explicit JsonWriter(size_t yaml_bytes) : most_bytes_(kMostGrowth * yaml_bytes + kAlwaysFine) {}

  absl::StatusOr<std::string> Convert(const YAML::Node& node, const Descriptor* type, const FieldDescriptor* field,
                                      int depth) {
    if (depth > kMaxDepth) return absl::InvalidArgumentError(absl::StrCat(Where(node.Mark()), ": nested too deeply"));
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null:
        return Counted("null", node);
      case YAML::NodeType::Scalar:
        return Counted(Scalar(node, field), node);
      case YAML::NodeType::Sequence:
        return Sequence(node, type, field, depth);
      case YAML::NodeType::Map:
        return Map(node, type, depth);
    }
    return "null";
  }

 private:
  absl::StatusOr<std::string> Counted(std::string json, const YAML::Node& node) {
    bytes_ += json.size() + 1;
    if (bytes_ <= most_bytes_) return json;
    return absl::InvalidArgumentError(absl::StrCat(Where(node.Mark()), ": its aliases make it too large"));
  }

  absl::StatusOr<std::string> Sequence(const YAML::Node& node, const Descriptor* type, const FieldDescriptor* field,
                                       int depth) {
    MUSTER_ASSIGN_OR_RETURN(std::string out, Counted("[", node));
    for (const YAML::Node& item : node) {
      MUSTER_ASSIGN_OR_RETURN(const std::string json, Convert(item, type, field, depth + 1));
      absl::StrAppend(&out, out.size() > 1 ? "," : "", json);
    }
    return out + "]";
  }

  absl::StatusOr<std::string> Map(const YAML::Node& node, const Descriptor* type, int depth) {
    MUSTER_ASSIGN_OR_RETURN(std::string out, Counted("{", node));
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        return absl::InvalidArgumentError(absl::StrCat(Where(entry.first.Mark()), ": a key must be a word"));
      }
      const std::string& key = entry.first.Scalar();
      const FieldDescriptor* inner = type != nullptr ? type->FindFieldByName(key) : nullptr;
      if (inner == nullptr && type != nullptr) inner = type->FindFieldByCamelcaseName(key);
      const Descriptor* inner_type = inner != nullptr ? inner->message_type() : nullptr;
      // A wrapping around what it is to become.
      if (inner == nullptr && (key == "task" || key == "tasks" || key == "spec")) inner_type = type;
      if (inner_type != nullptr && inner_type->full_name() == "google.protobuf.Struct") inner = nullptr, inner_type = nullptr;
      MUSTER_ASSIGN_OR_RETURN(const std::string name, Counted(JsonText(key), entry.first));
      MUSTER_ASSIGN_OR_RETURN(const std::string json, Convert(entry.second, inner_type, inner, depth + 1));
      absl::StrAppend(&out, out.size() > 1 ? "," : "", name, ":", json);
    }
    return out + "}";
  }

  const size_t most_bytes_;
  size_t bytes_ = 0;
};

bool NeedsQuotes(const std::string& text) {
  if (text.empty() || IsNull(text) || IsTruth(text) || IsFalsehood(text) || IsNumber(text)) return true;
  for (const char* word : {"yes", "no", "on", "off", "Yes", "No", "On", "Off", "y", "n", "Y", "N"}) {
    if (text == word) return true;
  }
  return std::isdigit(static_cast<unsigned char>(text[0])) != 0 && text.find_first_not_of("0123456789abcdefxABCDEFX_:.+-eE") == std::string::npos;
}

void Emit(const YAML::Node& node, YAML::Emitter* out) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginMap;
      for (const auto& entry : node) {
        *out << YAML::Key << entry.first.Scalar() << YAML::Value;
        Emit(entry.second, out);
      }
      *out << YAML::EndMap;
      break;
    case YAML::NodeType::Sequence:
      if (node.size() == 0) *out << YAML::Flow;
      *out << YAML::BeginSeq;
      for (const YAML::Node& item : node) Emit(item, out);
      *out << YAML::EndSeq;
      break;
    case YAML::NodeType::Scalar:
      if (node.Tag() == "!" && NeedsQuotes(node.Scalar())) *out << YAML::DoubleQuoted;
      *out << node.Scalar();
      break;
    default:
      *out << YAML::Null;
  }
}

}  // namespace

absl::StatusOr<std::string> YamlToJson(const std::string& yaml, const Descriptor* type) {
  try {
    const YAML::Node node = YAML::Load(yaml);
    if (!node.IsDefined() || node.IsNull()) return std::string();
    return JsonWriter(yaml.size()).Convert(node, type, nullptr, 0);
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(Where(error.mark), ": ", ToLine(error.msg)));
  }
}

std::string JsonToYaml(const std::string& json) {
  try {
    YAML::Emitter out;
    Emit(YAML::Load(json), &out);
    if (out.good()) return absl::StrCat(out.c_str(), "\n");
  } catch (const YAML::Exception&) {
    // Beyond what the library reads, as a key of more than 1024 bytes.
  }
  return absl::StrCat(json, "\n");  // which is YAML as well
}

}  // namespace muster::cli
