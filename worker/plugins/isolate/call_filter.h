// The system calls that an isolated command does not get: what would change the system, reach into other processes, or
// has been the way out of more than one sandbox. They answer EPERM; clone3 answers ENOSYS, for its flags lie in memory
// where a filter cannot look, and the C library then uses clone.
//
// Thread rule: the calling thread, and all that descends from it; needs no_new_privs. Errors: false, and errno says why.
#pragma once

namespace muster::isolate {

bool FilterSystemCalls();

}  // namespace muster::isolate
