// Ids that nobody has drawn before, for calls and events: by the time of drawing in milliseconds, then random.
// Thread rule: any thread.
#pragma once

#include <string>

namespace muster::runtime {

// 32 hexadecimal digits, in the order of time.
std::string FreshId();

}  // namespace muster::runtime
