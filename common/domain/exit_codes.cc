#include "common/domain/exit_codes.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace muster {
namespace {

void SortCodes(std::vector<int32_t>* codes) {
  std::sort(codes->begin(), codes->end());
  codes->erase(std::unique(codes->begin(), codes->end()), codes->end());
}

}  // namespace

absl::StatusOr<std::vector<int32_t>> ParseExitCodes(const std::string& text) {
  std::vector<int32_t> codes;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::vector<std::string> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    int32_t from = 0, to = 0;
    const bool read = absl::SimpleAtoi(ends.front(), &from) && absl::SimpleAtoi(ends.back(), &to);
    if (!read || from < 0 || to > kMostExitCode || from > to) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", part, "' is no exit code; give codes of 0 to 255 such as 1,75,100-110"));
    }
    for (int32_t code = from; code <= to; ++code) codes.push_back(code);
  }
  SortCodes(&codes);
  return codes;
}

std::string ExitCodesText(std::vector<int32_t> codes) {
  SortCodes(&codes);
  std::string text;
  for (size_t i = 0; i < codes.size();) {
    size_t end = i + 1;
    while (end < codes.size() && codes[end] == codes[end - 1] + 1) ++end;
    absl::StrAppend(&text, text.empty() ? "" : ",", codes[i]);
    if (end - i > 1) absl::StrAppend(&text, end - i > 2 ? "-" : ",", codes[end - 1]);
    i = end;
  }
  return text;
}

std::optional<int32_t> CodeInBoth(const std::vector<int32_t>& one, const std::vector<int32_t>& other) {
  std::optional<int32_t> least;
  for (const int32_t code : one) {
    if (std::find(other.begin(), other.end(), code) != other.end() && (!least || code < *least)) least = code;
  }
  return least;
}

}  // namespace muster
