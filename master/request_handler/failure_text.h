// What two failures have in common: the last line of an attempt's stderr with everything replaced that differs from one
// time to the next. "[23:04:24] cannot open /data/17/x: error 5" becomes "[<time>] cannot open <path>: error <n>".
//
// Replaced are times, UUIDs, hexadecimal numbers, absolute paths, numbers also within words (w7: w<n>), and ids as ours.
// Bytes that are no printable ASCII and terminal colours are dropped. At most 200 characters.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace muster::handler {

// The last line that is not blank, as it is but for what cannot be printed; empty: there is none.
std::string LastLine(std::string_view text);
// Of one line.
std::string NormaliseFailure(std::string_view line);

}  // namespace muster::handler
