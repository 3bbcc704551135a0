// YAML in and out by way of JSON, guided by the message that it is to become: a number where the API wants text is
// text, "5m" is a duration.
// Thread rule: pure functions. Errors: INVALID_ARGUMENT with line and column.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"

namespace muster::cli {

// One YAML document, as JSON for a message of this type; a list at the top gives a JSON list of them. An empty
// document gives "".
absl::StatusOr<std::string> YamlToJson(const std::string& yaml, const google::protobuf::Descriptor* type);

// JSON as block YAML, ending in a newline; what reads as a number or a word of YAML stays quoted.
std::string JsonToYaml(const std::string& json);

}  // namespace muster::cli
