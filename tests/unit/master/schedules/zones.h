// Time zones for the tests of schedules, and instants as people write them.
// Thread rule: functions on values. Errors: a zone that the machine has not, and text that is no instant, end the test.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/base/check.h"

namespace muster::schedules {

// Of Debian's package tzdata.
inline absl::TimeZone Zone(const std::string& name) {
  absl::TimeZone zone;
  MUSTER_CHECK(absl::LoadTimeZone(name, &zone));
  return zone;
}

// "2026-03-29 03:00+02:00"
inline absl::Time Instant(const std::string& text) {
  absl::Time instant;
  MUSTER_CHECK(absl::ParseTime("%Y-%m-%d %H:%M%Ez", text, &instant, nullptr));
  return instant;
}

inline std::string InstantText(absl::Time instant, absl::TimeZone zone) {
  return absl::FormatTime("%Y-%m-%d %H:%M%Ez", instant, zone);
}

}  // namespace muster::schedules
