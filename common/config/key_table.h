// The keys of one program, in the order of their declaration, and the places that their values are read from.
//
// Thread rule: one thread, at start. Errors: one line that names the place (file and line, variable, flag), the key, and
// what would be valid; NOT_FOUND for a file that cannot be read.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/config/key.h"

namespace muster::config {

class KeyTable {
 public:
  KeyTable(std::string program, std::string environment_prefix)
      : program_(std::move(program)), prefix_(std::move(environment_prefix)) {}

  // What it shows now is its default.
  void Add(Key key);
  const std::vector<Key>& keys() const { return keys_; }
  const std::string& program() const { return program_; }
  std::string EnvironmentName(const Key& key) const;

  absl::Status ReadFile(const std::string& path);
  absl::Status ReadEnvironment();
  absl::Status ReadFlag(const std::string& name, const std::string& value);

 private:
  Key* Find(const std::string& name);
  bool HasBelow(const std::string& name) const;
  absl::Status ReadNode(const std::string& path, const std::string& prefix, const YAML::Node& map);
  absl::Status SetFromText(Key* key, const std::string& place, const std::string& text);
  absl::Status UnknownKey(const std::string& place, const std::string& name) const;

  const std::string program_;
  const std::string prefix_;
  std::vector<Key> keys_;
};

}  // namespace muster::config
