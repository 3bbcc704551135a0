// Durations and sizes as people write them.
#include <charconv>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"

namespace muster::config {
namespace {

struct SizeUnit {
  const char* name;
  double bytes;
};
constexpr SizeUnit kSizeUnits[] = {
    {"", 1},           {"b", 1},          {"k", 1024},        {"kib", 1024},      {"kb", 1e3},
    {"m", 1048576},    {"mib", 1048576},  {"mb", 1e6},        {"g", 1073741824},  {"gib", 1073741824},
    {"gb", 1e9},       {"t", 1099511627776}, {"tib", 1099511627776}, {"tb", 1e12}};

absl::Duration UnitOf(const std::string& name) {
  if (name == "ns") return absl::Nanoseconds(1);
  if (name == "us") return absl::Microseconds(1);
  if (name == "ms") return absl::Milliseconds(1);
  if (name == "s" || name.empty()) return absl::Seconds(1);
  if (name == "m" || name == "min") return absl::Minutes(1);
  if (name == "h") return absl::Hours(1);
  if (name == "d") return absl::Hours(24);
  return absl::ZeroDuration();
}

// A number at the front of `text`; false when there is none. No sign: a unit is never negative here.
bool TakeNumber(const std::string& text, size_t* at, double* number) {
  if (*at == text.size() || !(absl::ascii_isdigit(static_cast<unsigned char>(text[*at])) || text[*at] == '.')) return false;
  const char* begin = text.data() + *at;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, *number, std::chars_format::fixed);
  if (error != std::errc() || rest == begin) return false;
  *at = static_cast<size_t>(rest - text.data());
  return true;
}

std::string TakeLetters(const std::string& text, size_t* at) {
  const size_t begin = *at;
  while (*at < text.size() && absl::ascii_isalpha(static_cast<unsigned char>(text[*at]))) ++*at;
  return text.substr(begin, *at - begin);
}

absl::Status BadDuration(const std::string& text) {
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\" is not a duration; write 500ms, 2s, 1m30s, 12h or 7d"));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(const std::string& text) {
  const bool negative = !text.empty() && text[0] == '-';
  size_t at = negative ? 1 : 0;
  if (at == text.size()) return BadDuration(text);
  absl::Duration total;
  while (at < text.size()) {
    double number = 0;
    if (!TakeNumber(text, &at, &number)) return BadDuration(text);
    const absl::Duration unit = UnitOf(TakeLetters(text, &at));
    if (unit == absl::ZeroDuration()) return BadDuration(text);
    total += number * unit;
  }
  return negative ? -total : total;
}

absl::StatusOr<int64_t> ParseSize(const std::string& text) {
  size_t at = 0;
  double number = 0;
  if (TakeNumber(text, &at, &number) && number >= 0) {
    const std::string unit = absl::AsciiStrToLower(TakeLetters(text, &at));
    for (const SizeUnit& known : kSizeUnits) {
      if (at != text.size() || unit != known.name) continue;
      const double bytes = std::floor(number * known.bytes);
      if (bytes < 9e18) return static_cast<int64_t>(bytes);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::Utf8SafeCEscape(text), "\" is not a size; write 4096, 64KiB, 4MiB or 2GiB"));
}

}  // namespace muster::config
