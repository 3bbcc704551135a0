// Which master's answers count: of a cluster that this worker has joined, no epoch below the highest one joined.
//
// A master that was given up (a copy of its machine that woke up again) must not extend a lease that the real one
// believes to have ended: what is fenced here would run on beside its second copy.
// Pure. Thread rule: one thread.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/domain/ids.h"

namespace muster::worker {

class MasterOrder {
 public:
  // A join was answered: OK, and it is the one from now on, or why it is none.
  absl::Status Join(std::string cluster_id, Epoch epoch) {
    if (cluster_id == cluster_id_ && epoch < epoch_) return Older(epoch);
    cluster_id_ = std::move(cluster_id);
    epoch_ = epoch;
    return absl::OkStatus();
  }
  // A heartbeat was answered.
  absl::Status Answer(Epoch epoch) const { return epoch < epoch_ ? Older(epoch) : absl::OkStatus(); }

 private:
  absl::Status Older(Epoch epoch) const {
    return Refuse(absl::StatusCode::kFailedPrecondition, "OLDER_MASTER",
                  absl::StrCat("a master of epoch ", epoch.value(), " answered, but this worker has joined one of epoch ",
                               epoch_.value(), "; its answers count for nothing"));
  }

  std::string cluster_id_;
  Epoch epoch_;
};

}  // namespace muster::worker
