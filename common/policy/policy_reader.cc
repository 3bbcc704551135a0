#include "common/policy/policy_reader.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/config/config.h"

namespace muster::policy {
namespace {

constexpr size_t kMostRules = 10'000;
constexpr size_t kMostShownBytes = 80;

std::string Shown(const std::string& text) { return absl::StrCat("'", ToLine(text, kMostShownBytes), "'"); }

class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  absl::StatusOr<std::vector<Rule>> Read(const YAML::Node& root) {
    std::vector<Rule> rules;
    bool has_rules = false;
    MUSTER_RETURN_IF_ERROR(ForEachKey(root, "a policy", {{"rules", [&](const YAML::Node& list) {
      has_rules = true;
      return ReadList(list, &rules);
    }}}));
    if (!has_rules) return Error(root, "there are no rules; write rules: [] to refuse everything");
    return rules;
  }

 private:
  using Keys = std::map<std::string, std::function<absl::Status(const YAML::Node&)>>;

  absl::Status Error(const YAML::Node& node, const std::string& what) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", node.Mark().line + 1, ": ", what));
  }

  absl::Status ForEachKey(const YAML::Node& map, const std::string& what, const Keys& keys) const {
    if (!map.IsMap()) return Error(map, absl::StrCat(what, " must be a map, KEY: VALUE"));
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto found = keys.find(key);
      if (found == keys.end()) {
        std::vector<std::string> names;
        for (const auto& known : keys) names.push_back(known.first);
        return Error(entry.first, absl::StrCat(Shown(key), " is no key of ", what, "; there are ", absl::StrJoin(names, ", ")));
      }
      if (!seen.insert(key).second) return Error(entry.first, absl::StrCat(key, " is there twice; take one out"));
      MUSTER_RETURN_IF_ERROR(found->second(entry.second));
    }
    return absl::OkStatus();
  }

  absl::Status ReadList(const YAML::Node& list, std::vector<Rule>* rules) {
    if (!list.IsSequence()) return Error(list, "rules must be a list");
    if (list.size() > kMostRules) return Error(list, absl::StrCat("are ", list.size(), " rules; at most ", kMostRules));
    std::set<std::string> names;
    for (const YAML::Node& node : list) {
      Rule& rule = rules->emplace_back();
      MUSTER_RETURN_IF_ERROR(ReadRule(node, &rule));
      if (!names.insert(rule.name).second) return Error(node, absl::StrCat("another rule has the name ", Shown(rule.name), ", too"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadRule(const YAML::Node& node, Rule* rule) {
    bool says_allow = false, says_deny = false, bounds = false;
    const auto patterns = [this](Patterns* to) { return [this, to](const YAML::Node& value) { return ReadPatterns(value, to); }; };
    MUSTER_RETURN_IF_ERROR(ForEachKey(node, "a rule", {
        {"name", [&](const YAML::Node& value) { return ReadText(value, &rule->name); }},
        {"who", patterns(&rule->who)},
        {"queues", patterns(&rule->queues)},
        {"executors", patterns(&rule->executors)},
        {"programs", patterns(&rule->programs)},
        {"environment", [&](const YAML::Node& value) { bounds = true; return ReadPatterns(value, &rule->environment); }},
        {"shell", [&](const YAML::Node& value) { return ReadFlag(value, &rule->shell.emplace()); }},
        {"most", [&](const YAML::Node& value) { bounds = true; return ReadMost(value, &rule->most); }},
        {"allow", [&](const YAML::Node& value) { says_allow = true; return ReadFlag(value, &rule->allows); }},
        {"deny", [&](const YAML::Node& value) { says_deny = true; return ReadText(value, &rule->because); }},
    }));
    if (rule->name.empty()) return Error(node, "the rule has no name; a refusal names its rule");
    if (says_allow == says_deny || (says_allow && !rule->allows)) {
      return Error(node, absl::StrCat("rule ", Shown(rule->name), " must say either allow: true or deny: WHY"));
    }
    if (says_deny && bounds) return Error(node, absl::StrCat("rule ", Shown(rule->name), " denies; environment and most are of rules that allow"));
    return absl::OkStatus();
  }

  absl::Status ReadMost(const YAML::Node& node, Most* most) const {
    return ForEachKey(node, "most", {
        {"priority", [&](const YAML::Node& value) { return ReadNumber(value, &most->priority.emplace()); }},
        {"slots", [&](const YAML::Node& value) { return ReadNumber(value, &most->slots.emplace()); }},
        {"cpu", [&](const YAML::Node& value) { return ReadReal(value, &most->cpu.emplace()); }},
        {"memory", [&](const YAML::Node& value) { return ReadBy(value, &config::ParseSize, &most->memory_bytes.emplace()); }},
        {"disk", [&](const YAML::Node& value) { return ReadBy(value, &config::ParseSize, &most->disk_bytes.emplace()); }},
        {"run", [&](const YAML::Node& value) { return ReadBy(value, &config::ParseDuration, &most->run.emplace()); }},
    });
  }

  absl::Status ReadText(const YAML::Node& node, std::string* to) const {
    if (!node.IsScalar() || node.Scalar().empty()) return Error(node, "must be a text");
    *to = ToLine(node.Scalar(), 1024);
    return absl::OkStatus();
  }

  absl::Status ReadPatterns(const YAML::Node& node, Patterns* to) const {
    to->emplace();
    if (!node.IsSequence()) return Error(node, "must be a list, as in [batch, \"nightly-*\"]");
    for (const YAML::Node& value : node) {
      if (!value.IsScalar()) return Error(value, "must be a text; a * stands for any characters");
      (*to)->push_back(value.Scalar());
    }
    return absl::OkStatus();
  }

  absl::Status ReadFlag(const YAML::Node& node, bool* to) const {
    const std::string text = node.IsScalar() ? node.Scalar() : "";
    if (text != "true" && text != "false") return Error(node, "must be true or false");
    *to = text == "true";
    return absl::OkStatus();
  }

  absl::Status ReadNumber(const YAML::Node& node, int64_t* to) const {
    if (node.IsScalar() && absl::SimpleAtoi(node.Scalar(), to)) return absl::OkStatus();
    return Error(node, "must be a whole number");
  }

  absl::Status ReadReal(const YAML::Node& node, double* to) const {
    if (node.IsScalar() && absl::SimpleAtod(node.Scalar(), to) && *to >= 0) return absl::OkStatus();
    return Error(node, "must be a number of cores");
  }

  template <typename Value>
  absl::Status ReadBy(const YAML::Node& node, absl::StatusOr<Value> (*parse)(const std::string&), Value* to) const {
    const absl::StatusOr<Value> value = parse(node.IsScalar() ? node.Scalar() : "");
    if (!value.ok()) return Error(node, std::string(value.status().message()));
    *to = *value;
    return absl::OkStatus();
  }

  const std::string& name_;
};

}  // namespace

absl::StatusOr<std::vector<Rule>> ReadRules(const std::string& text, const std::string& name) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1) return absl::InvalidArgumentError(absl::StrCat(name, ": has more than one document; take out the lines with --- or ..."));
    return Reader(name).Read(documents.empty() ? YAML::Node() : documents.front());
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(name, ":", error.mark.line + 1, ": ", ToLine(error.msg, kMostShownBytes)));
  }
}

}  // namespace muster::policy
