// A Unix socket that only this user can reach: its directory is 0700 and its own, the socket 0600.
// Thread rule: functions. Errors: one line that says what to do.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace muster::rpc {

bool IsUnixSocket(const std::string& listen);  // "unix:/run/muster/master.sock"
// Makes the directory if it is not there; refuses one that others may look into, before anything listens.
absl::Status PrepareSocketDirectory(const std::string& listen);
absl::Status CloseSocketToOthers(const std::string& listen);

}  // namespace muster::rpc
