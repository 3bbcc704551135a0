// A refusal (refusal.h) in other words: its code, its reason and its delay stay.
// Thread rule: pure.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace muster {

absl::Status Reworded(const absl::Status& refusal, std::string_view message);

}  // namespace muster
