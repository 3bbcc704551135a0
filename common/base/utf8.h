// Text from plugins and files, made fit for protobuf's string fields: a message with one bad byte in a string cannot
// be read at all, and would end the session.
// Thread rule: pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

bool IsUtf8(std::string_view text);

// The same text when it is UTF-8; else every byte that does not belong to a character becomes '?'.
std::string ToUtf8(std::string text);

// For a message to a person: UTF-8, control characters become spaces, and what is longer than `most_bytes` is cut.
std::string ToLine(std::string text, size_t most_bytes = 512);

}  // namespace muster
