// As much of JSON Schema (draft 7) as docs/workflow.schema.json is written in. A keyword that is not known here is a failure of
// the test, never passed over.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/struct.pb.h"

namespace muster::cli {

class JsonSchema {
 public:
  explicit JsonSchema(google::protobuf::Value root) : root_(std::move(root)) {}

  // "" when it holds, else the first thing that does not, with its path.
  std::string Check(const google::protobuf::Value& value) const { return Check(root_, value, "$"); }
  const google::protobuf::Value& root() const { return root_; }
  // A value down a path of keys.
  static const google::protobuf::Value& At(const google::protobuf::Value& value, const std::vector<std::string>& path);

 private:
  using Value = google::protobuf::Value;
  std::string Check(const Value& schema, const Value& value, const std::string& path) const;
  std::string CheckKeyword(const std::string& keyword, const Value& given, const Value& schema, const Value& value, const std::string& path) const;
  std::string CheckObject(const Value& schema, const Value& value, const std::string& path) const;

  const Value root_;
};

}  // namespace muster::cli
