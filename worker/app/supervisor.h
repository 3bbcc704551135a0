// The small process above a worker's server: PID 1 in a container, subreaper anywhere, single-threaded.
//
// It forks the server before any thread exists, passes signals on to it, reaps what is orphaned, and leaves with the
// server's status. When the server dies by accident, kill -9 included, it kills every process that descends from it
// before it leaves, so that nothing of its tasks goes on. When the lease has ended and the server does not end the
// attempts that must not outlive it (it is stopped, or stuck), the supervisor kills the server, and so all of them.
// It does not start the server again: systemd, Kubernetes or a person does, and a new incarnation is born whole.
// If the supervisor itself is killed, the kernel kills the server, and with it its commands.
// Thread rule: called once, from a process with one thread.
#pragma once

#include <functional>

#include "worker/app/fence_page.h"

namespace muster::worker {

// Returns the process's exit status: the server's own, or 128 + the signal that ended it. In the server's process it
// does not return.
int Supervise(const std::function<int(FencePage*)>& server);

}  // namespace muster::worker
