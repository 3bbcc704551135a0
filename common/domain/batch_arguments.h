// GNU parallel's replacement strings, put into a command for one row of a batch: {} {.} {/} {//} {/.} {#} and, with
// several sources, {1} {2.} ... When the template has none of them, the row's values are appended.
// Source: the manual of GNU parallel (behaviour), written anew.
// Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster {

// Where the words go: to exec as they are, or into a line for /bin/sh, which must not read the values as its own words.
enum class FillFor : uint8_t { kExec, kShell };

std::vector<std::string> FillArguments(const std::vector<std::string>& argv_template,
                                       const std::vector<std::string>& row, uint64_t index,
                                       FillFor target = FillFor::kExec);

// Only replaces, never appends: for environment values, working directory and the like.
std::string FillText(const std::string& text, const std::vector<std::string>& row, uint64_t index,
                     FillFor target = FillFor::kExec);

// A place that no row has a value for: it becomes nothing.
inline constexpr char kEmptyPlace[] = "{999999}";

// A text that is filled in to be `text` again: an empty place keeps each brace apart from what follows it.
std::string WithoutPlaces(std::string_view text);

// The highest {N...} of the words; 0: there is none. A row of fewer values has nothing to put there.
size_t HighestPlace(const std::vector<std::string>& words);

}  // namespace muster
