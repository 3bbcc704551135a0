// ClusterService.GetSummary: the cluster in figures, all of one turn, with the tasks that have run for longest.
//
// Thread rule: threads that may block (the read pool's). Errors: INVALID_ARGUMENT BAD_LIMIT; UNAVAILABLE when the loop does
// not answer.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "master/core/ports.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

struct SummaryPorts {
  core::Inspector* inspector = nullptr;
  absl::Duration inspect_wait;
  absl::Time start_time;  // the master's
};

absl::Status GetSummary(const SummaryPorts& ports, const v1::GetSummaryRequest& request, v1::GetSummaryResponse* response);

}  // namespace muster::handler
