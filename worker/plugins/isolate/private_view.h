// The files as an isolated command sees them: the machine's, read-only, with a /tmp, /var/tmp, /dev and /proc of its own,
// its task's directory as the one place of the disk that it can write, and nothing of the worker's own.
//
// Thread rule: one thread, the first process of new mount and pid namespaces, with the right to mount. Errors: false, and
// errno says why; the caller ends then, and its namespaces with it.
#pragma once

#include "worker/plugins/isolate/isolate_plan.h"

namespace muster::isolate {

bool MakePrivateView(const Plan& plan);

}  // namespace muster::isolate
