#include "cli/workflow_file/needs.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

using Node = Document::Node;

absl::StatusOr<v1::DependencyCondition> ConditionOf(const Node& node, std::string_view word) {
  if (word == "success") return v1::DEPENDENCY_CONDITION_SUCCESS;
  if (word == "failure") return v1::DEPENDENCY_CONDITION_FAILURE;
  if (word == "any" || word == "always") return v1::DEPENDENCY_CONDITION_ANY;
  return node.Bad(absl::StrCat("'", ShownWord(word), "' is no condition; give success, failure or any"));
}

std::string Trimmed(std::string_view text) { return std::string(absl::StripAsciiWhitespace(absl::string_view(text.data(), text.size()))); }

// "fetch" or "fetch: any" in quotes; what stands unquoted with a ':' is a map already.
absl::StatusOr<WrittenNeed> ReadWord(const Node& node) {
  WrittenNeed written;
  written.at = node;
  const std::string_view text = node.text();
  const size_t colon = text.find(':');
  written.need.set_node(Trimmed(text.substr(0, colon)));
  if (colon != std::string_view::npos) {
    MUSTER_ASSIGN_OR_RETURN(const v1::DependencyCondition condition, ConditionOf(node, Trimmed(text.substr(colon + 1))));
    written.need.set_condition(condition);
  }
  MUSTER_RETURN_IF_ERROR(CheckName(node, written.need.node()));
  return written;
}

absl::Status ReadPairs(const Node& map, std::vector<WrittenNeed>* needs) {
  for (const Document::Entry& entry : map.entries()) {
    WrittenNeed written;
    written.at = entry.key;
    written.need.set_node(entry.key.str());
    MUSTER_RETURN_IF_ERROR(CheckName(entry.key, entry.key.text()));
    if (!entry.value.is_null()) {
      if (!entry.value.is_text()) return WrongType(entry.value, "success, failure or any");
      MUSTER_ASSIGN_OR_RETURN(const v1::DependencyCondition condition, ConditionOf(entry.value, entry.value.text()));
      written.need.set_condition(condition);
    }
    needs->push_back(std::move(written));
  }
  return absl::OkStatus();
}

absl::Status ReadNeed(const Node& node, std::vector<WrittenNeed>* needs) {
  if (node.is_map()) return ReadPairs(node, needs);
  if (!node.is_text()) return WrongType(node, "the name of a task");
  MUSTER_ASSIGN_OR_RETURN(WrittenNeed written, ReadWord(node));
  needs->push_back(std::move(written));
  return absl::OkStatus();
}

struct Sides {
  std::string left, right;
  bool negated = false;
};

// Apart at the first operator outside of quotes.
absl::StatusOr<Sides> Split(const Node& node) {
  const std::string_view text = node.text();
  char quote = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (quote != 0) {
      if (text[i] == quote) quote = 0;
      continue;
    }
    if (text[i] == '"' || text[i] == '\'') quote = text[i];
    if (text[i + 1] == '=' && (text[i] == '=' || text[i] == '!')) {
      return Sides{Trimmed(text.substr(0, i)), Trimmed(text.substr(i + 2)), text[i] == '!'};
    }
  }
  return node.Bad("a condition is LEFT == RIGHT or LEFT != RIGHT, as fetch.version != \"\"");
}

// What stands in quotes, or as it is.
absl::StatusOr<std::string> Unquoted(const Node& node, const std::string& side) {
  if (side.empty() || (side[0] != '"' && side[0] != '\'')) {
    // One word, for what looks like more (a == 1 and b == 2) is compared as a text, which nobody means.
    if (side.find_first_of(" \t=") == std::string::npos || WholeReference(side)) return side;
    return node.Bad(absl::StrCat("`", ShownWord(side), "` is compared as one text; put it in quotes if it is one (a condition has one comparison)"));
  }
  const size_t end = side.find(side[0], 1);
  if (end + 1 == side.size()) return side.substr(1, end - 1);
  return node.Bad(absl::StrCat("a quote in `", ShownWord(side), "` that is not closed at its end; close it"));
}

absl::Status SetLeft(const Node& node, const std::string& side, const TaskTexts& texts, const ParameterNames& parameters, v1::NodeCondition* condition) {
  if (side.empty()) return node.Bad("nothing on the left side; give an output (task.output) or a parameter");
  const bool is_quoted = side[0] == '"' || side[0] == '\'';
  const std::string name = WholeReference(side).value_or(is_quoted ? "" : side);
  const std::optional<OutputName> output = ParseOutputName(name);
  if (output && name.find_first_of(" \t{}") == std::string::npos && output->task != "matrix") {
    condition->set_node(output->task);
    condition->set_output(output->output);
    return absl::OkStatus();
  }
  if (parameters.contains(name)) {
    condition->set_text(absl::StrCat("{{ ", name, " }}"));
    return absl::OkStatus();
  }
  MUSTER_ASSIGN_OR_RETURN(*condition->mutable_text(), Unquoted(node, side));
  if (!is_quoted && side.find("{{") == std::string::npos) {
    std::vector<std::string_view> names(parameters.begin(), parameters.end());
    return node.Bad(absl::StrCat("'", ShownWord(side), "' is neither an output (task.output) nor a parameter", NearestText(side, names)));
  }
  return texts.CheckParameters(node, condition->text());
}

}  // namespace

absl::StatusOr<std::vector<WrittenNeed>> ReadNeeds(const Node& node) {
  std::vector<WrittenNeed> needs;
  if (node.is_null()) return needs;
  if (!node.is_list()) {
    MUSTER_RETURN_IF_ERROR(ReadNeed(node, &needs));
    return needs;
  }
  const std::vector<Node> items = node.items();
  needs.reserve(items.size());
  for (const Node& item : items) MUSTER_RETURN_IF_ERROR(ReadNeed(item, &needs));
  return needs;
}

absl::StatusOr<v1::NodeCondition> ReadCondition(const Node& node, const TaskTexts& texts, const ParameterNames& parameters) {
  if (!node.is_text()) return WrongType(node, "a condition");
  MUSTER_ASSIGN_OR_RETURN(const Sides sides, Split(node));
  v1::NodeCondition condition;
  condition.set_negated(sides.negated);
  MUSTER_RETURN_IF_ERROR(SetLeft(node, sides.left, texts, parameters, &condition));
  MUSTER_ASSIGN_OR_RETURN(*condition.mutable_right(), Unquoted(node, sides.right));
  MUSTER_RETURN_IF_ERROR(texts.CheckParameters(node, condition.right()));
  return condition;
}

}  // namespace muster::cli
