// `muster-master policy test FILE TASK`: which rule of a policy (common/policy/policy.h) decides on a task, and how.
//
// TASK is a file with a TaskSpec in JSON, as `muster get -o json` shows it under "spec", or - for stdin.
// Exit status: 0 allowed; 1 refused; 2 wrong usage, or a file that cannot be read.
// Thread rule: one thread.
#pragma once

#include <string_view>

namespace muster::master {

bool IsPolicyCommand(std::string_view word);

// `arguments[0]` is "policy".
int RunPolicyCommand(int count, const char* const* arguments);

}  // namespace muster::master
