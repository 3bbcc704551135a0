#include "common/config/key_kinds.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace muster::config {
namespace {

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

// What is parsed goes to the target when it, counted in the bounds' unit, is within them.
template <typename Value, typename Parse, typename Count>
auto SetWithin(Value* target, Bounds bounds, const char* unit, Parse parse, Count count) {
  return [=](const std::string& text) -> absl::Status {
    MUSTER_ASSIGN_OR_RETURN(const Value value, parse(text));
    MUSTER_RETURN_IF_ERROR(CheckBounds(count(value), text, bounds, unit));
    *target = value;
    return absl::OkStatus();
  };
}

// All of the text, or an error that says what it is not.
template <typename Value>
auto ParseAll(const char* what) {
  return [what](const std::string& text) -> absl::StatusOr<Value> {
    Value value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && rest == text.data() + text.size()) return value;
    return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " is not ", what));
  };
}

template <typename Value>
double AsDouble(Value value) {
  return static_cast<double>(value);
}

std::string SizeText(int64_t bytes) {
  constexpr int64_t kUnits[] = {int64_t{1} << 30, int64_t{1} << 20, int64_t{1} << 10};
  constexpr const char* kNames[] = {"GiB", "MiB", "KiB"};
  for (size_t i = 0; i < 3; ++i) {
    if (bytes != 0 && bytes % kUnits[i] == 0) return absl::StrCat(bytes / kUnits[i], kNames[i]);
  }
  return absl::StrCat(bytes);
}

std::string MapText(const std::map<std::string, std::string>& map) {
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

Key TextKey(std::string name, std::string* target, std::string help) {
  return {.name = std::move(name),
          .type = "text",
          .help = std::move(help),
          .set_text =
              [target](const std::string& text) {
                *target = text;
                return absl::OkStatus();
              },
          .show = [target] { return *target; }};
}

Key ChoiceKey(std::string name, std::string* target, std::vector<std::string> choices, std::string help) {
  std::string type = absl::StrJoin(choices, "|");
  return {.name = std::move(name),
          .type = std::move(type),
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
          .show = [target] { return *target; }};
}

Key NumberKey(std::string name, int64_t* target, std::string help, Bounds bounds) {
  return {.name = std::move(name),
          .type = "number",
          .help = std::move(help),
          .set_text = SetWithin(target, bounds, "", ParseAll<int64_t>("a whole number"), AsDouble<int64_t>),
          .show = [target] { return absl::StrCat(*target); }};
}

Key RealKey(std::string name, double* target, std::string help, Bounds bounds) {
  return {.name = std::move(name),
          .type = "number",
          .help = std::move(help),
          .set_text = SetWithin(target, bounds, "", ParseAll<double>("a number"), AsDouble<double>),
          .show = [target] { return absl::StrCat(*target); }};
}

Key FlagKey(std::string name, bool* target, std::string help) {
  return {.name = std::move(name),
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
          .show = [target] { return std::string(*target ? "true" : "false"); }};
}

Key TimeKey(std::string name, absl::Duration* target, std::string help, Bounds bounds) {
  return {.name = std::move(name),
          .type = "duration",
          .help = std::move(help),
          .set_text = SetWithin(target, bounds, " s", ParseDuration, absl::ToDoubleSeconds),
          .show = [target] { return absl::FormatDuration(*target); }};
}

Key SizeKey(std::string name, int64_t* target, std::string help, Bounds bounds) {
  return {.name = std::move(name),
          .type = "size",
          .help = std::move(help),
          .set_text = SetWithin(target, bounds, " bytes", ParseSize, AsDouble<int64_t>),
          .show = [target] { return SizeText(*target); }};
}

Key MapKey(std::string name, std::map<std::string, std::string>* target, std::string help) {
  return {.name = std::move(name),
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
          .show = [target] { return MapText(*target); }};
}

Key ListKey(std::string name, std::vector<std::string>* target, std::string help) {
  const auto from_text = [target](const std::string& text) {
    *target = absl::StrSplit(text, ',', absl::SkipWhitespace());
    return absl::OkStatus();
  };
  return {.name = std::move(name),
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
          .show = [target] { return absl::StrJoin(*target, ","); }};
}

Key EntriesKey(std::string name, std::vector<Entry>* target, std::vector<std::string> fields, std::string help) {
  std::string type = absl::StrCat("list of {", absl::StrJoin(fields, ", "), "}");
  return {.name = std::move(name),
          .type = std::move(type),
          .help = std::move(help),
          .set_node = [target, fields = std::move(fields)](const YAML::Node& node) -> absl::Status {
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
            return absl::StrJoin(*target, ";", [](std::string* out, const Entry& entry) { out->append(MapText(entry)); });
          }};
}

}  // namespace muster::config
