// ClusterService.PurgeTasks: a bounded part of a purge for each call. The page token holds where the walk goes on and
// which moment it is about, so that a purge means one moment however many calls it takes. What a call took away is one
// record of the activity log, durable before the answer; a call that fails half-way leaves the record, too.
//
// Thread rule: a pool's thread; it waits for commits. Errors: INVALID_ARGUMENT for a token that is none and a negative
// age; as Store::Purge; UNAVAILABLE when the loop does not say in time that the record is durable.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "master/store/store.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

struct PurgePorts {
  store::Store* store = nullptr;
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  absl::Duration inspect_wait;
};

// `now`: calendar time. `by`: who asks.
absl::Status PurgeTasks(const PurgePorts& ports, const std::string& by, absl::Time now,
                        const v1::PurgeTasksRequest& request, v1::PurgeTasksResponse* response);

}  // namespace muster::handler
