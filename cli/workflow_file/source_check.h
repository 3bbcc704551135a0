// What is looked at in a file's bytes besides its YAML: that they are characters, where a place is for a person, and what the
// library's messages mean.
// Thread rule: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::cli {

// What is wrong, and where.
struct SourceError {
  uint32_t line = 0, column = 0;  // from 0; the column in bytes
  std::string what;
};

// The first byte that is not UTF-8, or a control character other than line ends and tabs.
std::optional<SourceError> FindBadCharacter(const std::string& source);

// How many characters stand before a byte of a line; both from 0.
uint32_t CharacterColumn(const std::string& source, uint32_t line, uint32_t byte_column);

// What yaml-cpp stopped at, as what to do. A tab in the line's indentation is told first: the library takes it for a space in
// some places and then stumbles over what follows.
SourceError PlainWords(const std::string& source, uint32_t line, uint32_t column, std::string_view message);

}  // namespace muster::cli
