// Who an isolated command is: the rights of its namespaces are used and then given away, all of them.
//
// Thread rule: a process with one thread. Errors: false, and errno says why.
#pragma once

#include <sys/types.h>

#include "worker/plugins/isolate/isolate_plan.h"

namespace muster::isolate {

// In a user namespace that has just been made: its one user is the worker's own, under the same number. The numbers are
// those of outside.
bool MapOwnUser(uid_t uid, gid_t gid);
// Becomes the plan's user, with no other groups and no capabilities, and with no way to get any.
bool DropRights(const Plan& plan);
// The network of its own has nothing but itself.
bool BringLoopbackUp();

}  // namespace muster::isolate
