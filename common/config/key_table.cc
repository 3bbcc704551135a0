#include "common/config/key_table.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/nearest.h"
#include "common/base/status_macros.h"
#include "common/config/read_file.h"

namespace muster::config {
namespace {

absl::Status Misread(const std::string& place, const Key& key, const absl::Status& why) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", key.name, ": ", std::string(why.message())));
}

}  // namespace

void KeyTable::Add(Key key) {
  key.default_text = key.show();
  if (!key.set_node) {
    key.set_node = [set = key.set_text, type = key.type](const YAML::Node& node) -> absl::Status {
      MUSTER_ASSIGN_OR_RETURN(const std::string text, Scalar(node, type));
      return set(text);
    };
  }
  keys_.push_back(std::move(key));
}

Key* KeyTable::Find(const std::string& name) {
  const auto it = std::find_if(keys_.begin(), keys_.end(), [&name](const Key& key) { return key.name == name; });
  return it == keys_.end() ? nullptr : &*it;
}

bool KeyTable::HasBelow(const std::string& name) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [&name](const Key& key) { return absl::StartsWith(key.name, name + "."); });
}

std::string KeyTable::EnvironmentName(const Key& key) const {
  return absl::StrCat(prefix_, "_", absl::AsciiStrToUpper(absl::StrReplaceAll(key.name, {{".", "_"}, {"-", "_"}})));
}

absl::Status KeyTable::UnknownKey(const std::string& place, const std::string& name) const {
  std::vector<std::string_view> names;
  for (const Key& key : keys_) names.push_back(key.name);
  const std::optional<size_t> nearest = NearestOf(name, names, 3);
  const std::string hint = nearest ? absl::StrCat("did you mean ", keys_[*nearest].name, "?")
                                   : absl::StrCat("`", program_, " --help` lists the keys");
  return absl::InvalidArgumentError(absl::StrCat(place, ": unknown key ", Shown(name), "; ", hint));
}

absl::Status KeyTable::ReadFile(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadWholeFile(path);
  if (!content.ok()) return absl::NotFoundError(absl::StrCat("the configuration file: ", content.status().message()));
  try {
    const YAML::Node root = YAML::Load(*content);
    if (root.IsNull()) return absl::OkStatus();
    if (!root.IsMap()) return absl::InvalidArgumentError(absl::StrCat(path, ":1: must be a map of keys"));
    return ReadNode(path, "", root);
  } catch (const YAML::Exception& problem) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", problem.mark.line + 1, ": not YAML: ", Shown(problem.msg)));
  }
}

absl::Status KeyTable::ReadNode(const std::string& path, const std::string& prefix, const YAML::Node& map) {
  for (const auto& item : map) {
    const std::string place = absl::StrCat(path, ":", item.first.Mark().line + 1);
    if (!item.first.IsScalar()) return absl::InvalidArgumentError(absl::StrCat(place, ": a key must be a word"));
    const std::string name = absl::StrCat(prefix, prefix.empty() ? "" : ".", item.first.Scalar());
    if (Key* key = Find(name)) {
      if (const absl::Status status = key->set_node(item.second); !status.ok()) return Misread(place, *key, status);
      key->origin = place;
    } else if (item.second.IsMap() && HasBelow(name)) {
      MUSTER_RETURN_IF_ERROR(ReadNode(path, name, item.second));
    } else {
      return UnknownKey(place, name);
    }
  }
  return absl::OkStatus();
}

absl::Status KeyTable::SetFromText(Key* key, const std::string& place, const std::string& text) {
  if (!key->set_text) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": ", key->name, " can only be set in the configuration file"));
  }
  if (const absl::Status status = key->set_text(text); !status.ok()) return Misread(place, *key, status);
  key->origin = place;
  return absl::OkStatus();
}

absl::Status KeyTable::ReadEnvironment() {
  for (Key& key : keys_) {
    if (!key.set_text) continue;
    const std::string name = EnvironmentName(key);
    if (const char* value = std::getenv(name.c_str())) MUSTER_RETURN_IF_ERROR(SetFromText(&key, name, value));
  }
  return absl::OkStatus();
}

absl::Status KeyTable::ReadFlag(const std::string& name, const std::string& value) {
  Key* const key = Find(name);
  if (key == nullptr) return UnknownKey("command line", name);
  return SetFromText(key, absl::StrCat("--", name), value);
}

}  // namespace muster::config
