#include "common/config/time_zone.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/nearest.h"
#include "common/base/utf8.h"

namespace muster::config {
namespace {

constexpr size_t kLongestZoneName = 64;

std::string IndexPath() {
  const char* const place = std::getenv("TZDIR");  // where Abseil looks, too
  return absl::StrCat(place != nullptr && *place != '\0' ? place : "/usr/share/zoneinfo", "/tzdata.zi");
}

// "Z Europe/Berlin 0:53:28 ..." is a zone, and "L Europe/Berlin Europe/Oslo" another name of one.
std::vector<std::string> ReadIndex() {
  std::vector<std::string> names;
  std::ifstream index(IndexPath());
  for (std::string line; std::getline(index, line);) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words[0] == "Z" && words.size() > 1) names.push_back(words[1]);
    if (words[0] == "L" && words.size() > 2) names.push_back(words[2]);
  }
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::string>& ZoneNames() {
  static const auto* const names = new std::vector<std::string>(ReadIndex());
  return *names;
}

// Berlin is Europe/Berlin, and so is europe/berlim. Of a name as short as PST none is near.
std::optional<std::string> NearestZone(const std::string& name) {
  const std::string lower = absl::AsciiStrToLower(name);
  std::vector<std::string> known;
  for (const std::string& zone : ZoneNames()) {
    known.push_back(absl::AsciiStrToLower(zone));
    if (known.back() == lower || absl::EndsWith(known.back(), "/" + lower)) return zone;
  }
  if (name.size() < 5 || name.size() > kLongestZoneName) return std::nullopt;
  const std::optional<size_t> nearest = NearestOf(lower, std::vector<std::string_view>(known.begin(), known.end()), 3);
  if (!nearest) return std::nullopt;
  return ZoneNames()[*nearest];
}

absl::Status UnknownZone(const std::string& name) {
  const std::string shown = ToLine(name, kLongestZoneName);
  if (ZoneNames().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("time zone '", shown, "': there is no ", IndexPath(),
                                                      " here; install the package tzdata, or use UTC"));
  }
  const std::optional<std::string> nearest = NearestZone(name);
  return absl::InvalidArgumentError(absl::StrCat("unknown time zone '", shown, "'; ",
                                                 nearest ? absl::StrCat("did you mean ", *nearest, "?")
                                                         : "give a name such as Europe/Berlin, or UTC"));
}

}  // namespace

absl::StatusOr<absl::TimeZone> LoadZone(const std::string& name) {
  if (name == "UTC") return absl::UTCTimeZone();
  absl::TimeZone zone;
  const bool known = std::binary_search(ZoneNames().begin(), ZoneNames().end(), name);
  if (known && absl::LoadTimeZone(name, &zone)) return zone;
  return UnknownZone(name);
}

}  // namespace muster::config
