// What was learned of how long one kind of command runs, and how a run is measured against it.
// Thread rule: values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace muster {

struct LearnedRunTimes {
  struct Place {
    std::string worker;
    uint64_t runs = 0;

    friend bool operator==(const Place&, const Place&) = default;
  };

  uint64_t fingerprint = 0;              // of executor and command template: TaskSpec::fingerprint
  std::string command;                   // what runs, in one short line, for people
  std::vector<absl::Duration> newest;    // of the newest runs, the oldest of them first
  uint64_t runs = 0;                     // that ended by themselves, in all
  uint64_t failures = 0;                 // of them, with a code that is not accepted, or a failed validation
  absl::Time last = absl::InfinitePast();  // when the newest ended
  std::vector<Place> places;             // where it ran, the most frequent first

  friend bool operator==(const LearnedRunTimes&, const LearnedRunTimes&) = default;
};

// The value at `fraction` (0 to 1) of what is sorted and not empty.
inline absl::Duration QuantileOf(const std::vector<absl::Duration>& sorted, double fraction) {
  return sorted[static_cast<size_t>(fraction * static_cast<double>(sorted.size() - 1) + 0.5)];
}

// What a run that takes long is measured against.
struct UsualRunTime {
  absl::Duration p90;  // of the newest runs
  uint32_t runs = 0;   // how many those are

  friend bool operator==(const UsualRunTime&, const UsualRunTime&) = default;
};

}  // namespace muster
