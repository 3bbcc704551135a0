// Text from plugins and files, made fit for protobuf's string fields: a message with one bad byte in a string cannot
// be read at all, and would end the session.
// Thread rule: pure.
#pragma once

#include <string>

namespace muster::worker {

// The same text when it is UTF-8; else every byte that does not belong to a character becomes '?'.
std::string ToUtf8(std::string text);

}  // namespace muster::worker
