// A file that is whole or not there, and that only those may read who should: keys are 0600 from their first byte.
// Thread rule: functions. Errors: ALREADY_EXISTS; what the system says, with the path.
#pragma once

#include <string>
#include <string_view>

#include <sys/types.h>

#include "absl/status/status.h"

namespace muster::pki {

enum class IfThere { kRefuse, kReplace };

// Written beside it, synced and renamed, so that who reads the file meanwhile reads the old one or the new one.
absl::Status WriteFile(const std::string& path, std::string_view content, mode_t mode, IfThere if_there);

}  // namespace muster::pki
