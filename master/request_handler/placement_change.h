// What an UpdatePlacement asks for, read and checked: its mask, or else what its placement says.
//
// Thread rule: pure. Errors: INVALID_ARGUMENT with the reasons BAD_MASK, BAD_PLACEMENT.
#pragma once

#include "absl/status/statusor.h"
#include "master/core/events.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

absl::StatusOr<core::UpdatePlacement> ReadPlacementUpdate(const v1::UpdatePlacementRequest& request);

}  // namespace muster::handler
