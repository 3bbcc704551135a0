// What muster-master does with a store beside serving it: `check`, `backup`, `restore`, `salvage`.
//
// Exit status: 0 done, and sound; 1 damaged, or it could not be done; 2 wrong usage. What was found goes to stdout,
// errors to stderr.
// Thread rule: one thread. The work is in master/store.
#pragma once

#include <string_view>

namespace muster::master {

bool IsStoreCommand(std::string_view word);

// `arguments[0]` is the command.
int RunStoreCommand(int count, const char* const* arguments);

}  // namespace muster::master
