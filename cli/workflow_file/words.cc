#include "cli/workflow_file/words.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"

namespace muster::cli {
namespace {

constexpr size_t kLongestName = 128;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDecimalDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool IsIdentifier(std::string_view word) {
  return !word.empty() && word.size() <= kLongestName && !IsDecimalDigit(word[0]) &&
         std::all_of(word.begin(), word.end(), [](char c) { return IsLetter(c) || IsDecimalDigit(c) || c == '_'; });
}

absl::Status CheckName(const Document::Node& node, std::string_view name) {
  const auto is_allowed = [](char c) { return IsLetter(c) || IsDecimalDigit(c) || c == '.' || c == '_' || c == '-'; };
  if (!name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), is_allowed)) return absl::OkStatus();
  return node.Bad(absl::StrCat("'", ShownWord(name), "' is no name; give at most ", kLongestName, " of [A-Za-z0-9._-]"));
}

std::string ShownWord(std::string_view word) { return ToLine(std::string(word), 60); }

}  // namespace muster::cli
