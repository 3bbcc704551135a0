// A protobuf message out of a document, field by field, as protobuf's JSON has them (and `muster submit -f`): names as in the
// .proto or in camel case, a number where a text is wanted is a text, null is unset. Besides: "5m" for durations, "2G" for
// fields of bytes, enum values without their prefix (`hold`, `rerun-after-fence`), and a map for a list of pairs (`labels: {team: data}`).
//
// Thread rule: pure. Errors: INVALID_ARGUMENT with file, line and column, what is wrong, and what would be right.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "cli/workflow_file/document.h"
#include "google/protobuf/message.h"

namespace muster::cli {

// May change a text, or refuse it, before it is put into a string field.
using TextRule = std::function<absl::Status(const google::protobuf::FieldDescriptor& field, const Document::Node& node, std::string* text)>;

class MessageFiller {
 public:
  explicit MessageFiller(TextRule rule) : rule_(std::move(rule)) {}

  // Every key of a map is a field of the message.
  absl::Status Fill(const Document::Node& map, google::protobuf::Message* message) const;
  absl::Status FillField(const Document::Node& value, const google::protobuf::FieldDescriptor& field, google::protobuf::Message* message) const;

 private:
  absl::Status FillOne(const Document::Node& value, const google::protobuf::FieldDescriptor& field, google::protobuf::Message* message) const;
  absl::Status FillPairs(const Document::Node& map, const google::protobuf::FieldDescriptor& field, google::protobuf::Message* message) const;
  absl::Status FillMessage(const Document::Node& value, google::protobuf::Message* message) const;
  absl::Status FillValue(const Document::Node& value, google::protobuf::Message* message) const;
  absl::Status FillStruct(const Document::Node& map, google::protobuf::Message* message) const;

  const TextRule rule_;
};

// The field of a key, by either of its names; null: none.
const google::protobuf::FieldDescriptor* FieldOf(const google::protobuf::Descriptor& type, std::string_view key);

// "'fast' where a number belongs": what is there instead of `want`.
absl::Status WrongType(const Document::Node& node, std::string_view want);

// "; did you mean queue?", or what there is.
std::string NearestText(std::string_view word, const std::vector<std::string_view>& names);

}  // namespace muster::cli
