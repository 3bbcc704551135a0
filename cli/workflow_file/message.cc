#include "cli/workflow_file/message.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cli/workflow_file/scalar.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/config.h"
#include "common/convert/convert.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"

namespace muster::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using Node = Document::Node;

constexpr size_t kLongestShown = 60;



// On "memory_bytes" also "2G".
absl::StatusOr<double> ReadNumber(const Node& node, const FieldDescriptor& field) {
  const std::string text = node.str();
  double number = 0;
  if (node.is_text() && IsNumber(text) && absl::SimpleAtod(text, &number) && std::isfinite(number)) return number;
  if (!absl::EndsWith(field.name(), "_bytes")) return WrongType(node, "a number");
  const absl::StatusOr<int64_t> size = config::ParseSize(text);
  if (!node.is_text() || !size.ok()) return WrongType(node, "a size, as 512M or 2G");
  return static_cast<double>(*size);
}

absl::StatusOr<int64_t> ReadInteger(const Node& node, const FieldDescriptor& field, int64_t least, int64_t most) {
  int64_t integer = 0;
  if (!node.is_text() || !absl::SimpleAtoi(node.str(), &integer)) {
    MUSTER_ASSIGN_OR_RETURN(const double number, ReadNumber(node, field));
    constexpr double kExact = 9007199254740992;  // 2^53
    if (number != std::floor(number) || std::abs(number) > kExact) return WrongType(node, "a whole number");
    integer = static_cast<int64_t>(number);
  }
  if (integer < least || integer > most) return WrongType(node, absl::StrCat("a whole number within ", least, "..", most));
  return integer;
}

std::string EnumPrefix(const EnumDescriptor& type) {
  const std::string& first = type.value(0)->name();
  const size_t end = first.rfind("UNSPECIFIED");
  return end == std::string::npos ? "" : first.substr(0, end);
}

absl::StatusOr<int> ReadEnum(const Node& node, const FieldDescriptor& field) {
  const EnumDescriptor& type = *field.enum_type();
  const std::string prefix = EnumPrefix(type);
  const std::string word = absl::AsciiStrToUpper(absl::StrReplaceAll(node.str(), {{"-", "_"}}));
  std::vector<std::string> names;
  int number = 0;
  const bool is_number = absl::SimpleAtoi(node.str(), &number);
  for (int i = 0; i < type.value_count(); ++i) {
    const EnumValueDescriptor& value = *type.value(i);
    if (node.is_text() && (value.name() == word || value.name() == prefix + word || (is_number && value.number() == number))) return value.number();
    if (value.number() == 0) continue;
    names.push_back(absl::AsciiStrToLower(absl::StrReplaceAll(value.name().substr(prefix.size()), {{"_", "-"}})));
  }
  return WrongType(node, absl::StrCat("one of ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<bool> ReadTruth(const Node& node) {
  const std::string text = node.str();
  if (node.is_text() && IsTruth(text)) return true;
  if (node.is_text() && IsFalsehood(text)) return false;
  return WrongType(node, "true or false");
}

absl::StatusOr<std::string> ReadBytes(const Node& node) {
  std::string bytes;
  const std::string text = node.str();
  if (node.is_text() && (absl::Base64Unescape(text, &bytes) || absl::WebSafeBase64Unescape(text, &bytes))) return bytes;
  return WrongType(node, "bytes in base64");
}

absl::Status FillDuration(const Node& node, google::protobuf::Duration* duration) {
  constexpr int64_t kMostSeconds = 315'576'000'000;  // protobuf's
  const absl::StatusOr<absl::Duration> read = config::ParseDuration(node.str());
  if (!node.is_text() || !read.ok() || absl::AbsDuration(*read) > absl::Seconds(kMostSeconds)) return WrongType(node, "a time, as 500ms, 30s, 5m or 2h");
  convert::ToProto(*read, duration);
  return absl::OkStatus();
}

absl::Status FillTimestamp(const Node& node, google::protobuf::Timestamp* time) {
  if (node.is_text() && google::protobuf::util::TimeUtil::FromString(node.str(), time)) return absl::OkStatus();
  return WrongType(node, "a time, as 2026-01-31T14:30:00Z");
}

// Messages of two fields that are a name and what it has: a list of them may be written as a map.
bool IsPair(const Descriptor& type) {
  return type.field_count() == 2 && (type.field(0)->name() == "name" || type.field(0)->name() == "key") &&
         (type.field(1)->name() == "value" || type.field(1)->name() == "amount");
}

}  // namespace

absl::Status WrongType(const Node& node, std::string_view want) {
  const std::string found = node.is_text() ? absl::StrCat("'", ToLine(node.str(), kLongestShown), "'") : std::string(KindText(node.kind()));
  return node.Bad(absl::StrCat(found, " where ", std::string(want), " belongs"));
}

const FieldDescriptor* FieldOf(const Descriptor& type, std::string_view key) {
  const std::string name(key);
  const FieldDescriptor* field = type.FindFieldByName(name);
  return field != nullptr ? field : type.FindFieldByCamelcaseName(name);
}

std::string NearestText(std::string_view word, const std::vector<std::string_view>& names) {
  constexpr size_t kMostChanges = 3, kLongestGuessed = 128, kMostListed = 8;
  std::vector<std::string_view> near;  // a guess costs the product of both lengths
  for (const std::string_view name : names) {
    if (name.size() <= word.size() + kMostChanges && word.size() <= name.size() + kMostChanges) near.push_back(name);
  }
  // Of a short word nearly all would have to change.
  const auto nearest = word.size() > kLongestGuessed ? std::nullopt : NearestOf(word, near, std::min(kMostChanges, (word.size() + 1) / 2));
  if (nearest) return absl::StrCat("; did you mean '", std::string(near[*nearest]), "'?");
  if (names.empty() || names.size() > kMostListed) return "";
  return absl::StrCat("; there is ", absl::StrJoin(std::vector<std::string>(names.begin(), names.end()), ", "));
}

absl::Status MessageFiller::Fill(const Node& map, Message* message) const {
  const Descriptor& type = *message->GetDescriptor();
  absl::flat_hash_map<const FieldDescriptor*, bool> seen;
  for (const Document::Entry& entry : map.entries()) {
    const FieldDescriptor* field = FieldOf(type, entry.key.text());
    if (field == nullptr) {
      std::vector<std::string_view> names;
      for (int i = 0; i < type.field_count(); ++i) names.push_back(type.field(i)->name());
      return entry.key.Bad(absl::StrCat("there is no field '", ToLine(entry.key.str(), kLongestShown), "' here", NearestText(entry.key.text(), names)));
    }
    if (!seen.emplace(field, true).second) return entry.key.Bad(absl::StrCat("`", field->name(), "` by both of its names; take one out"));
    MUSTER_RETURN_IF_ERROR(FillField(entry.value, *field, message));
  }
  return absl::OkStatus();
}

absl::Status MessageFiller::FillField(const Node& value, const FieldDescriptor& field, Message* message) const {
  if (value.is_null()) return absl::OkStatus();
  if (!field.is_repeated()) return FillOne(value, field, message);
  if (value.is_map() && field.message_type() != nullptr && IsPair(*field.message_type())) return FillPairs(value, field, message);
  if (!value.is_list()) return WrongType(value, absl::StrCat("a list, as [", value.is_text() ? ToLine(value.str(), kLongestShown) : "...", "]"));
  for (const Node& item : value.items()) {
    if (item.is_null()) return item.Bad(absl::StrCat("an empty entry of `", field.name(), "`; write '' for an empty text, or take it out"));
    MUSTER_RETURN_IF_ERROR(FillOne(item, field, message));
  }
  return absl::OkStatus();
}

absl::Status MessageFiller::FillPairs(const Node& map, const FieldDescriptor& field, Message* message) const {
  const Descriptor& type = *field.message_type();
  for (const Document::Entry& entry : map.entries()) {
    Message* pair = message->GetReflection()->AddMessage(message, &field);
    pair->GetReflection()->SetString(pair, type.field(0), entry.key.str());
    MUSTER_RETURN_IF_ERROR(FillField(entry.value, *type.field(1), pair));
  }
  return absl::OkStatus();
}

absl::Status MessageFiller::FillOne(const Node& value, const FieldDescriptor& field, Message* message) const {
  const Reflection& to = *message->GetReflection();
  const bool many = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Message* inner = many ? to.AddMessage(message, &field) : to.MutableMessage(message, &field);
      if (auto* duration = google::protobuf::DynamicCastToGenerated<google::protobuf::Duration>(inner)) return FillDuration(value, duration);
      if (auto* time = google::protobuf::DynamicCastToGenerated<google::protobuf::Timestamp>(inner)) return FillTimestamp(value, time);
      if (!value.is_map() && inner->GetDescriptor() != google::protobuf::Value::descriptor()) return WrongType(value, "a map");
      return FillMessage(value, inner);
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string text = value.str();
      if (field.type() == FieldDescriptor::TYPE_BYTES) {
        MUSTER_ASSIGN_OR_RETURN(text, ReadBytes(value));
      } else if (!value.is_text()) {
        return WrongType(value, "a text");
      } else {
        MUSTER_RETURN_IF_ERROR(rule_(field, value, &text));
      }
      many ? to.AddString(message, &field, std::move(text)) : to.SetString(message, &field, std::move(text));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT32: {
      MUSTER_ASSIGN_OR_RETURN(const int64_t number, ReadInteger(value, field, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()));
      many ? to.AddInt32(message, &field, static_cast<int32_t>(number)) : to.SetInt32(message, &field, static_cast<int32_t>(number));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      MUSTER_ASSIGN_OR_RETURN(const int64_t number, ReadInteger(value, field, 0, std::numeric_limits<uint32_t>::max()));
      many ? to.AddUInt32(message, &field, static_cast<uint32_t>(number)) : to.SetUInt32(message, &field, static_cast<uint32_t>(number));
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      MUSTER_ASSIGN_OR_RETURN(const int64_t number, ReadInteger(value, field, std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()));
      many ? to.AddInt64(message, &field, number) : to.SetInt64(message, &field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      MUSTER_ASSIGN_OR_RETURN(const double number, ReadNumber(value, field));
      many ? to.AddDouble(message, &field, number) : to.SetDouble(message, &field, number);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      MUSTER_ASSIGN_OR_RETURN(const bool truth, ReadTruth(value));
      many ? to.AddBool(message, &field, truth) : to.SetBool(message, &field, truth);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      MUSTER_ASSIGN_OR_RETURN(const int number, ReadEnum(value, field));
      many ? to.AddEnumValue(message, &field, number) : to.SetEnumValue(message, &field, number);
      return absl::OkStatus();
    }
    default:
      return value.Bad(absl::StrCat("`", field.name(), "` cannot be given in a file"));
  }
}

absl::Status MessageFiller::FillMessage(const Node& value, Message* message) const {
  if (message->GetDescriptor() == google::protobuf::Struct::descriptor()) return FillStruct(value, message);
  if (message->GetDescriptor() == google::protobuf::Value::descriptor()) return FillValue(value, message);
  return Fill(value, message);
}

// Down as deep as the document is, which is bounded.
absl::Status MessageFiller::FillStruct(const Node& map, Message* message) const {
  auto* to = google::protobuf::DynamicCastToGenerated<google::protobuf::Struct>(message);
  for (const Document::Entry& entry : map.entries()) MUSTER_RETURN_IF_ERROR(FillValue(entry.value, &(*to->mutable_fields())[entry.key.str()]));
  return absl::OkStatus();
}

absl::Status MessageFiller::FillValue(const Node& value, Message* message) const {
  auto* to = google::protobuf::DynamicCastToGenerated<google::protobuf::Value>(message);
  switch (value.kind()) {
    case Document::Kind::kNull:
      to->set_null_value(google::protobuf::NULL_VALUE);
      return absl::OkStatus();
    case Document::Kind::kMap:
      return FillStruct(value, to->mutable_struct_value());
    case Document::Kind::kList:
      to->mutable_list_value();
      for (const Node& item : value.items()) MUSTER_RETURN_IF_ERROR(FillValue(item, to->mutable_list_value()->add_values()));
      return absl::OkStatus();
    case Document::Kind::kText:
      break;
  }
  std::string text = value.str();
  double number = 0;
  if (!value.quoted() && (IsTruth(text) || IsFalsehood(text))) {
    to->set_bool_value(IsTruth(text));
  } else if (!value.quoted() && IsNumber(text) && text[0] != '+' && text[0] != '.' && absl::SimpleAtod(text, &number) && std::isfinite(number)) {
    to->set_number_value(number);
  } else {
    MUSTER_RETURN_IF_ERROR(rule_(*google::protobuf::Value::descriptor()->FindFieldByName("string_value"), value, &text));
    to->set_string_value(std::move(text));
  }
  return absl::OkStatus();
}

}  // namespace muster::cli
