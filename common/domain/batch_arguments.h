// GNU parallel's replacement strings, put into a command for one row of a batch: {} {.} {/} {//} {/.} {#} and, with
// several sources, {1} {2.} ... When the template has none of them, the row's values are appended.
// Source: the manual of GNU parallel (behaviour), written anew.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster {

std::vector<std::string> FillArguments(const std::vector<std::string>& argv_template,
                                       const std::vector<std::string>& row, uint64_t index);

// Only replaces, never appends: for environment values, working directory and the like.
std::string FillText(const std::string& text, const std::vector<std::string>& row, uint64_t index);

}  // namespace muster
