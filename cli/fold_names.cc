#include "cli/fold_names.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/output.h"
#include "cli/text.h"

namespace muster::cli {
namespace {

constexpr size_t kRoomForMore = 16;  // ", and 12345 more"

}  // namespace

std::string FoldedName(std::string_view name) {
  const auto is_letter = [name](size_t at) { return at < name.size() && absl::ascii_isalpha(static_cast<unsigned char>(name[at])); };
  std::string folded;
  for (size_t at = 0; at < name.size();) {
    size_t end = at;
    while (end < name.size() && absl::ascii_isdigit(static_cast<unsigned char>(name[end]))) ++end;
    if (end == at) {
      folded.push_back(name[at++]);
      continue;
    }
    const bool within_a_word = at > 0 && is_letter(at - 1) && is_letter(end);
    folded += within_a_word ? name.substr(at, end - at) : "*";
    at = end;
  }
  return folded;
}

std::string FoldedList(const std::vector<std::string>& names, size_t fewest, size_t width) {
  std::unordered_map<std::string, size_t> counts;
  for (const std::string& name : names) ++counts[FoldedName(name)];
  std::unordered_set<std::string> told;
  std::string text;
  size_t used = 0;
  size_t left = names.size();
  for (const std::string& name : names) {
    const std::string folded = FoldedName(name);
    const bool folds = counts[folded] >= fewest;
    if (folds && !told.insert(folded).second) continue;
    const size_t stands_for = folds ? counts[folded] : 1;
    const std::string word = OneLine(folds ? absl::StrCat(folded, " (", stands_for, ")") : name, width);
    const size_t needs = DisplayWidth(word) + (text.empty() ? 0 : 2);
    const size_t room = left == stands_for ? width : width - std::min(width, kRoomForMore);
    if (!text.empty() && used + needs > room) return absl::StrCat(text, " and ", left, " more");
    absl::StrAppend(&text, text.empty() ? "" : ", ", word);
    used += needs;
    left -= stands_for;
  }
  return text;
}

}  // namespace muster::cli
