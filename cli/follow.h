// One task followed to its end, its bytes on our own streams: what `run` and `attach` share.
//
// Thread rule: the main thread. Errors: as Attachment's; the task's own fate is the exit code, not an error.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/session.h"

namespace muster::cli {

struct FollowOptions {
  // Ask to cancel the task when whoever reads our stdout has gone, as a pipe would end a local command.
  bool cancel_when_closed = false;
  // How many tasks there are, when that is known before the master says so; -1: it is not.
  int64_t expected_count = -1;
};

// The exit code. Ctrl-C detaches; a second one within two seconds cancels.
absl::StatusOr<int> FollowTask(Session& session, Client& client, const std::string& selector, const FollowOptions& options);

// Says how to come back after Ctrl-C, waits a moment for a second one, and cancels then. The exit code.
int LeaveOrCancel(Session& session, Client& client, const std::string& selector, int signal);

// What there is to say about an end that the exit code alone does not tell; empty for a plain exit.
std::string EndText(const v1::Task& task);

}  // namespace muster::cli
