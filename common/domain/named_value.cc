#include "common/domain/named_value.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "common/base/utf8.h"

namespace muster {

bool IsOutputName(std::string_view name) {
  if (name.empty() || name.size() > kLongestOutputName) return false;
  const auto fits = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  return !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) && std::all_of(name.begin(), name.end(), fits);
}

bool IsOutputValue(std::string_view value) {
  constexpr std::string_view kNeverInALine("\n\0", 2);
  return value.size() <= kMostOutputBytes && value.find_first_of(kNeverInALine) == std::string_view::npos && IsUtf8(value);
}

size_t BytesOf(const NamedValues& values) {
  size_t bytes = 0;
  for (const NamedValue& one : values) bytes += one.name.size() + one.value.size();
  return bytes;
}

}  // namespace muster
