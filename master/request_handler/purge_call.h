// ClusterService.PurgeTasks: a bounded part of a purge for each call. The page token holds where the walk goes on and
// which moment it is about, so that a purge means one moment however many calls it takes.
//
// Thread rule: a pool's thread; it waits for commits. Errors: INVALID_ARGUMENT for a token that is none and a negative
// age; as Store::Purge.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/store/store.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

// `now`: calendar time.
absl::Status PurgeTasks(store::Store* store, absl::Time now, const v1::PurgeTasksRequest& request,
                        v1::PurgeTasksResponse* response);

}  // namespace muster::handler
