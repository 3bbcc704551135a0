// ClusterService.ListFailures: the attempts that failed lately, by cause (failure_groups.h).
//
// Thread rule: a pool's thread. Errors: INVALID_ARGUMENT for a time that is negative; as Store::RecentFailures.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/store/store.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

// `now`: calendar time.
absl::Status ListFailures(store::Store* store, absl::Time now, const v1::ListFailuresRequest& request,
                          v1::ListFailuresResponse* response);

}  // namespace muster::handler
