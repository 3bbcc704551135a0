// A value with a name: an output of a task, a variable of a command.
//
// Thread rule: a value; pure functions. Bounds are those of who reads it in (kMostOutputs, kMostOutputBytes).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
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
inline constexpr size_t kLongestOutputName = 128;

bool IsOutputName(std::string_view name);    // [A-Za-z_][A-Za-z0-9_]*
bool IsOutputValue(std::string_view value);  // one line of UTF-8 without NUL
size_t BytesOf(const NamedValues& values);   // names and all

}  // namespace muster
