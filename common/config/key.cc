#include "common/config/key.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace muster::config {

std::string Shown(const std::string& text) { return absl::Utf8SafeCEscape(text); }
std::string Quoted(const std::string& text) { return absl::StrCat("\"", Shown(text), "\""); }

absl::StatusOr<std::string> Scalar(const YAML::Node& node, const std::string& type) {
  if (node.IsNull()) return std::string();
  if (!node.IsScalar()) return absl::InvalidArgumentError(absl::StrCat("is not a single value; it must be a ", type));
  return node.Scalar();
}

}  // namespace muster::config
