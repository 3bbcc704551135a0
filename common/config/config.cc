#include "common/config/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace muster::config {
namespace {

// How a key's values are read from a text (flag, environment) and from a YAML node, and shown again.
struct Key {
  std::string name;
  std::string type;  // for people: "text", "duration", ...
  std::string help;
  std::string default_text;
  std::function<absl::Status(const std::string&)> set_text;     // null: YAML only
  std::function<absl::Status(const YAML::Node&)> set_node;
  std::function<std::string()> show;
  std::string origin = "default";
};

size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// Whatever somebody wrote stays within its line.
std::string Shown(const std::string& text) { return absl::Utf8SafeCEscape(text); }
std::string Quoted(const std::string& text) { return absl::StrCat("\"", Shown(text), "\""); }

std::string InBounds(const Bounds& bounds, const char* unit) {
  std::string text;
  if (bounds.least) absl::StrAppend(&text, " at least ", *bounds.least, unit);
  if (bounds.most) absl::StrAppend(&text, text.empty() ? "" : " and", " at most ", *bounds.most, unit);
  return text.empty() ? " a finite number" : text;
}

absl::Status CheckBounds(double value, const std::string& text, const Bounds& bounds, const char* unit) {
  if (!std::isfinite(value) || (bounds.least && value < *bounds.least) || (bounds.most && value > *bounds.most)) {
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is out of bounds; it must be", InBounds(bounds, unit)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Scalar(const YAML::Node& node, const std::string& type) {
  if (node.IsNull()) return std::string();
  if (!node.IsScalar()) return absl::InvalidArgumentError(absl::StrCat("is not a single value; it must be a ", type));
  return node.Scalar();
}

std::string ShowMap(const std::map<std::string, std::string>& map) {
  return absl::StrJoin(map, ",", absl::PairFormatter("="));
}

absl::Status MapFromText(const std::string& text, std::map<std::string, std::string>* map) {
  map->clear();
  for (const auto part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<std::string> pair = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (pair[0].empty()) return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not a map; write a=b,c=d"));
    (*map)[pair[0]] = pair.size() == 2 ? pair[1] : "";
  }
  return absl::OkStatus();
}

}  // namespace

class Schema::Impl {
 public:
  Impl(std::string program, std::string summary, std::string prefix)
      : program_(std::move(program)), summary_(std::move(summary)), prefix_(std::move(prefix)) {}

  void Add(Key key) {
    key.default_text = key.show();
    if (!key.set_node) {
      key.set_node = [set = key.set_text, type = key.type](const YAML::Node& node) -> absl::Status {
        MUSTER_ASSIGN_OR_RETURN(const std::string text, Scalar(node, type));
        return set(text);
      };
    }
    keys_.push_back(std::move(key));
  }

  Key* Find(const std::string& name) {
    for (Key& key : keys_) {
      if (key.name == name) return &key;
    }
    return nullptr;
  }

  std::string EnvironmentName(const Key& key) const {
    return absl::StrCat(prefix_, "_", absl::AsciiStrToUpper(absl::StrReplaceAll(key.name, {{".", "_"}, {"-", "_"}})));
  }

  absl::Status UnknownKey(const std::string& place, const std::string& name) const {
    const Key* nearest = nullptr;
    size_t best = std::numeric_limits<size_t>::max();
    for (const Key& key : keys_) {
      const size_t distance = Distance(key.name, name);
      if (distance < best) best = distance, nearest = &key;
    }
    std::string hint = absl::StrCat("`", program_, " --help` lists the keys");
    if (nearest != nullptr && best <= 3) hint = absl::StrCat("did you mean ", nearest->name, "?");
    return absl::InvalidArgumentError(absl::StrCat(place, ": unknown key ", Shown(name), "; ", hint));
  }

  absl::Status ReadFile(const std::string& path) {
    try {
      const YAML::Node root = YAML::LoadFile(path);
      if (root.IsNull()) return absl::OkStatus();
      if (!root.IsMap()) return absl::InvalidArgumentError(absl::StrCat(path, ":1: must be a map of keys"));
      return ReadNode(path, "", root);
    } catch (const YAML::BadFile&) {
      return absl::NotFoundError(absl::StrCat("cannot read the configuration file ", path));
    } catch (const YAML::Exception& problem) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", problem.mark.line + 1, ": not YAML: ", Shown(problem.msg)));
    }
  }

  absl::Status ReadNode(const std::string& path, const std::string& prefix, const YAML::Node& map) {
    for (const auto& item : map) {
      const std::string place = absl::StrCat(path, ":", item.first.Mark().line + 1);
      if (!item.first.IsScalar()) return absl::InvalidArgumentError(absl::StrCat(place, ": a key must be a word"));
      const std::string name = absl::StrCat(prefix, prefix.empty() ? "" : ".", item.first.Scalar());
      if (Key* key = Find(name)) {
        if (const absl::Status status = key->set_node(item.second); !status.ok()) {
          return absl::InvalidArgumentError(absl::StrCat(place, ": ", name, ": ", std::string(status.message())));
        }
        key->origin = place;
      } else if (item.second.IsMap() && HasBelow(name)) {
        MUSTER_RETURN_IF_ERROR(ReadNode(path, name, item.second));
      } else {
        return UnknownKey(place, name);
      }
    }
    return absl::OkStatus();
  }

  bool HasBelow(const std::string& name) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&name](const Key& key) { return absl::StartsWith(key.name, name + "."); });
  }

  absl::Status SetFromText(Key* key, const std::string& place, const std::string& text) {
    if (!key->set_text) {
      return absl::InvalidArgumentError(absl::StrCat(place, ": ", key->name, " can only be set in the configuration file"));
    }
    if (const absl::Status status = key->set_text(text); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(place, ": ", key->name, ": ", std::string(status.message())));
    }
    key->origin = place;
    return absl::OkStatus();
  }

  absl::Status ReadEnvironment() {
    for (Key& key : keys_) {
      if (!key.set_text) continue;
      const std::string name = EnvironmentName(key);
      if (const char* value = std::getenv(name.c_str())) MUSTER_RETURN_IF_ERROR(SetFromText(&key, name, value));
    }
    return absl::OkStatus();
  }

  std::string Help() const {
    std::string text = absl::StrCat(program_, ": ", summary_, "\n\nUsage: ", program_,
                                    " [--config FILE] [--KEY=VALUE ...]\n\n"
                                    "  --config FILE     read this YAML file first\n"
                                    "  --check-config    print what is in effect and where it comes from, then exit\n"
                                    "  --config-example  print a commented file with every default, then exit\n"
                                    "  --version         print the version\n"
                                    "  --help            this text\n\nKeys (flag > environment > file > default):\n");
    for (const Key& key : keys_) {
      absl::StrAppend(&text, "  --", key.name, "=", absl::AsciiStrToUpper(key.type),
                      key.default_text.empty() ? "" : absl::StrCat("  (default ", key.default_text, ")"), "\n      ",
                      key.help, "\n");
    }
    absl::StrAppend(&text, "\nExamples:\n  ", program_, " --config /etc/muster/", program_, ".yaml\n  ", program_,
                    " --log.level=debug\n  ", EnvironmentName(keys_.front()), "=", keys_.front().default_text, " ",
                    program_, "\n");
    return text;
  }

  std::string program_;
  std::string summary_;
  std::string prefix_;
  std::vector<Key> keys_;
  std::vector<std::function<absl::Status()>> checks_;
};

Schema::Schema(std::string program, std::string summary, std::string environment_prefix)
    : impl_(std::make_unique<Impl>(std::move(program), std::move(summary), std::move(environment_prefix))) {}
Schema::~Schema() = default;

void Schema::Text(std::string key, std::string* target, std::string default_value, std::string help) {
  *target = std::move(default_value);
  impl_->Add({.name = std::move(key),
              .type = "text",
              .help = std::move(help),
              .set_text =
                  [target](const std::string& text) {
                    *target = text;
                    return absl::OkStatus();
                  },
              .show = [target] { return *target; }});
}

void Schema::Choice(std::string key, std::string* target, std::string default_value, std::vector<std::string> choices,
                    std::string help) {
  *target = std::move(default_value);
  const std::string type = absl::StrJoin(choices, "|");
  impl_->Add({.name = std::move(key),
              .type = type,
              .help = std::move(help),
              .set_text =
                  [target, choices = std::move(choices)](const std::string& text) {
                    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
                      return absl::InvalidArgumentError(
                          absl::StrCat(Quoted(text), " is not one of ", absl::StrJoin(choices, ", ")));
                    }
                    *target = text;
                    return absl::OkStatus();
                  },
              .show = [target] { return *target; }});
}

void Schema::Number(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->Add({.name = std::move(key),
              .type = "number",
              .help = std::move(help),
              .set_text =
                  [target, bounds](const std::string& text) -> absl::Status {
                    int64_t value = 0;
                    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
                    if (error != std::errc() || rest != text.data() + text.size()) {
                      return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not a whole number"));
                    }
                    MUSTER_RETURN_IF_ERROR(CheckBounds(static_cast<double>(value), text, bounds, ""));
                    *target = value;
                    return absl::OkStatus();
                  },
              .show = [target] { return absl::StrCat(*target); }});
}

void Schema::Real(std::string key, double* target, double default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->Add({.name = std::move(key),
              .type = "number",
              .help = std::move(help),
              .set_text =
                  [target, bounds](const std::string& text) -> absl::Status {
                    double value = 0;
                    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
                    if (error != std::errc() || rest != text.data() + text.size()) {
                      return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not a number"));
                    }
                    MUSTER_RETURN_IF_ERROR(CheckBounds(value, text, bounds, ""));
                    *target = value;
                    return absl::OkStatus();
                  },
              .show = [target] { return absl::StrCat(*target); }});
}

void Schema::Flag(std::string key, bool* target, bool default_value, std::string help) {
  *target = default_value;
  impl_->Add({.name = std::move(key),
              .type = "true|false",
              .help = std::move(help),
              .set_text =
                  [target](const std::string& text) {
                    if (text != "true" && text != "false" && !text.empty()) {
                      return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is neither true nor false"));
                    }
                    *target = text != "false";
                    return absl::OkStatus();
                  },
              .show = [target] { return std::string(*target ? "true" : "false"); }});
}

void Schema::Time(std::string key, absl::Duration* target, absl::Duration default_value, std::string help,
                  Bounds bounds) {
  *target = default_value;
  impl_->Add({.name = std::move(key),
              .type = "duration",
              .help = std::move(help),
              .set_text =
                  [target, bounds](const std::string& text) -> absl::Status {
                    MUSTER_ASSIGN_OR_RETURN(const absl::Duration value, ParseDuration(text));
                    MUSTER_RETURN_IF_ERROR(CheckBounds(absl::ToDoubleSeconds(value), text, bounds, " s"));
                    *target = value;
                    return absl::OkStatus();
                  },
              .show = [target] { return absl::FormatDuration(*target); }});
}

void Schema::Size(std::string key, int64_t* target, int64_t default_value, std::string help, Bounds bounds) {
  *target = default_value;
  impl_->Add({.name = std::move(key),
              .type = "size",
              .help = std::move(help),
              .set_text =
                  [target, bounds](const std::string& text) -> absl::Status {
                    MUSTER_ASSIGN_OR_RETURN(const int64_t value, ParseSize(text));
                    MUSTER_RETURN_IF_ERROR(CheckBounds(static_cast<double>(value), text, bounds, " bytes"));
                    *target = value;
                    return absl::OkStatus();
                  },
              .show = [target]() -> std::string {
                constexpr int64_t kUnits[] = {int64_t{1} << 30, int64_t{1} << 20, int64_t{1} << 10};
                constexpr const char* kNames[] = {"GiB", "MiB", "KiB"};
                for (size_t i = 0; i < 3; ++i) {
                  if (*target != 0 && *target % kUnits[i] == 0) return absl::StrCat(*target / kUnits[i], kNames[i]);
                }
                return absl::StrCat(*target);
              }});
}

void Schema::Map(std::string key, std::map<std::string, std::string>* target, std::string help) {
  impl_->Add({.name = std::move(key),
              .type = "map",
              .help = std::move(help),
              .set_text = [target](const std::string& text) { return MapFromText(text, target); },
              .set_node = [target](const YAML::Node& node) -> absl::Status {
                if (node.IsScalar()) return MapFromText(node.Scalar(), target);
                if (!node.IsMap()) return absl::InvalidArgumentError("must be a map of single values");
                target->clear();
                for (const auto& item : node) {
                  MUSTER_ASSIGN_OR_RETURN((*target)[item.first.Scalar()], Scalar(item.second, "text"));
                }
                return absl::OkStatus();
              },
              .show = [target] { return ShowMap(*target); }});
}

void Schema::List(std::string key, std::vector<std::string>* target, std::string help) {
  const auto from_text = [target](const std::string& text) {
    *target = absl::StrSplit(text, ',', absl::SkipWhitespace());
    return absl::OkStatus();
  };
  impl_->Add({.name = std::move(key),
              .type = "list",
              .help = std::move(help),
              .set_text = from_text,
              .set_node = [target, from_text](const YAML::Node& node) -> absl::Status {
                if (node.IsScalar()) return from_text(node.Scalar());
                if (!node.IsSequence()) return absl::InvalidArgumentError("must be a list of single values");
                target->clear();
                for (const auto& item : node) {
                  MUSTER_ASSIGN_OR_RETURN(std::string text, Scalar(item, "text"));
                  target->push_back(std::move(text));
                }
                return absl::OkStatus();
              },
              .show = [target] { return absl::StrJoin(*target, ","); }});
}

namespace {

// The values of one entry, maps within it under dotted names. A YAML map may hold itself by way of an alias, so what is
// looked at is bounded.
class Flattener {
 public:
  Flattener(const std::vector<std::string>& fields, Entry* entry) : fields_(fields), entry_(entry) {}

  absl::Status Add(const YAML::Node& node, const std::string& prefix) {
    for (const auto& item : node) {
      if (++seen_ > kMostSettings) {
        return absl::InvalidArgumentError(absl::StrCat("an entry has more than ", kMostSettings, " settings"));
      }
      const std::string name = absl::StrCat(prefix, item.first.Scalar());
      if (item.second.IsMap()) {
        MUSTER_RETURN_IF_ERROR(Add(item.second, name + "."));
      } else if (IsAllowed(name)) {
        MUSTER_ASSIGN_OR_RETURN((*entry_)[name], Scalar(item.second, "text"));
      } else {
        return absl::InvalidArgumentError(absl::StrCat("unknown key ", Shown(name), " in line ",
                                                       item.first.Mark().line + 1, "; known are ",
                                                       absl::StrJoin(fields_, ", ")));
      }
    }
    return absl::OkStatus();
  }

 private:
  static constexpr int kMostSettings = 1000;

  bool IsAllowed(const std::string& name) const {
    return std::any_of(fields_.begin(), fields_.end(), [&name](const std::string& field) {
      return absl::EndsWith(field, ".*") ? absl::StartsWith(name, field.substr(0, field.size() - 1)) : field == name;
    });
  }

  const std::vector<std::string>& fields_;
  Entry* const entry_;
  int seen_ = 0;
};

}  // namespace

void Schema::Entries(std::string key, std::vector<Entry>* target, std::vector<std::string> fields, std::string help) {
  impl_->Add({.name = std::move(key),
              .type = absl::StrCat("list of {", absl::StrJoin(fields, ", "), "}"),
              .help = std::move(help),
              .set_node = [target, fields](const YAML::Node& node) -> absl::Status {
                if (!node.IsSequence()) return absl::InvalidArgumentError("must be a list");
                target->clear();
                for (const auto& item : node) {
                  if (!item.IsMap()) return absl::InvalidArgumentError("must be a list of maps");
                  Entry entry;
                  MUSTER_RETURN_IF_ERROR(Flattener(fields, &entry).Add(item, ""));
                  target->push_back(std::move(entry));
                }
                return absl::OkStatus();
              },
              .show = [target] {
                return absl::StrJoin(*target, ";", [](std::string* out, const Entry& entry) { out->append(ShowMap(entry)); });
              }});
}

void Schema::Check(std::function<absl::Status()> check) { impl_->checks_.push_back(std::move(check)); }

absl::StatusOr<Schema::Outcome> Schema::Load(int argc, const char* const* argv, const std::string& version) {
  std::string file;
  bool check_only = false;
  std::vector<std::pair<std::string, std::string>> flags;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::cout << impl_->Help();
      return Outcome{.done = true};
    }
    if (argument == "--version") {
      std::cout << impl_->program_ << " " << version << "\n";
      return Outcome{.done = true};
    }
    if (argument == "--config-reference" || argument == "--config-example") {
      std::cout << (argument == "--config-example" ? ExampleYaml() : Markdown());
      return Outcome{.done = true};
    }
    if (argument == "--check-config") {
      check_only = true;
      continue;
    }
    if (!absl::StartsWith(argument, "--")) {
      return absl::InvalidArgumentError(absl::StrCat("unexpected argument ", Quoted(argument), "; `", impl_->program_, " --help` shows the usage"));
    }
    const std::vector<std::string> parts = absl::StrSplit(argument.substr(2), absl::MaxSplits('=', 1));
    const bool separate = parts.size() == 1 && i + 1 < argc && !absl::StartsWith(argv[i + 1], "--");
    std::string value = parts.size() == 2 ? parts[1] : separate ? argv[++i] : "";
    if (parts[0] == "config") {
      file = value;
    } else {
      flags.emplace_back(parts[0], std::move(value));
    }
  }
  if (!file.empty()) MUSTER_RETURN_IF_ERROR(impl_->ReadFile(file));
  MUSTER_RETURN_IF_ERROR(impl_->ReadEnvironment());
  for (const auto& [name, value] : flags) {
    Key* key = impl_->Find(name);
    if (key == nullptr) return impl_->UnknownKey("command line", name);
    MUSTER_RETURN_IF_ERROR(impl_->SetFromText(key, absl::StrCat("--", name), value));
  }
  for (const auto& check : impl_->checks_) MUSTER_RETURN_IF_ERROR(check());
  if (check_only) std::cout << Effective();
  return Outcome{.done = check_only};
}

std::string Schema::Effective() const {
  std::string text;
  for (const Key& key : impl_->keys_) {
    absl::StrAppend(&text, key.name, " = ", key.show(), "   # ", key.origin, "\n");
  }
  return text;
}

std::string Schema::Markdown() const {
  std::string text = absl::StrCat("## ", impl_->program_, "\n\n", impl_->summary_,
                                  "\n\n| Key | Type | Default | Environment | Meaning |\n|---|---|---|---|---|\n");
  for (const Key& key : impl_->keys_) {
    absl::StrAppend(&text, "| `", key.name, "` | ", absl::StrReplaceAll(key.type, {{"|", " or "}}), " | ",
                    key.default_text.empty() ? "" : absl::StrCat("`", key.default_text, "`"), " | ",
                    key.set_text ? absl::StrCat("`", impl_->EnvironmentName(key), "`") : "file only", " | ", key.help, " |\n");
  }
  return text;
}

std::string Schema::ExampleYaml() const {
  std::string text = absl::StrCat("# ", impl_->program_, ": ", impl_->summary_,
                                  "\n# Every key with its default; uncomment what you change.\n");
  std::string section;
  for (const Key& key : impl_->keys_) {
    std::vector<std::string> parts = absl::StrSplit(key.name, '.');
    const std::string last = parts.back();
    parts.pop_back();
    const std::string path = absl::StrJoin(parts, ".");
    if (path != section && !path.empty()) {
      for (size_t i = 0; i < parts.size(); ++i) {
        absl::StrAppend(&text, i == 0 ? "\n# " : "# ", std::string(i * 2, ' '), parts[i], ":\n");
      }
    }
    section = path;
    const std::string indent(parts.size() * 2, ' ');
    absl::StrAppend(&text, "# ", indent, "# ", key.help, "\n# ", indent, last, ": ", key.default_text, "\n");
  }
  return text;
}

}  // namespace muster::config
