// One key of a configuration: its name and its words, and how its value is read from a text (a flag, the environment) and
// from a YAML node, and shown again. What a person wrote is quoted in one line, whatever it holds.
//
// Thread rule: values; one thread, at start. Ownership: a key points into the struct that its caller declared it for.
// Errors: INVALID_ARGUMENT without place and name, which the reader adds (key_table.h).
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace muster::config {

struct Key {
  std::string name;
  std::string type;  // for people: "text", "duration", ...
  std::string help;
  std::string default_text;                                  // KeyTable::Add fills it
  std::function<absl::Status(const std::string&)> set_text;  // null: YAML only
  std::function<absl::Status(const YAML::Node&)> set_node;   // null: its single value, as a text
  std::function<std::string()> show;
  std::string origin = "default";
};

std::string Shown(const std::string& text);
std::string Quoted(const std::string& text);

// The one value of a node; nothing is an empty text. `type`: what it should have been.
absl::StatusOr<std::string> Scalar(const YAML::Node& node, const std::string& type);

}  // namespace muster::config
