// A value with a name: an output of a task, a variable of a command.
//
// Thread rule: a value. Bounds are those of who reads it in (kMostOutputs, kMostOutputBytes).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace muster {

struct NamedValue {
  std::string name;
  std::string value;

  friend bool operator==(const NamedValue&, const NamedValue&) = default;
};
using NamedValues = std::vector<NamedValue>;

inline constexpr size_t kMostOutputs = 64;             // of one task
inline constexpr size_t kMostOutputBytes = 4 * 1024;   // of one value

}  // namespace muster
