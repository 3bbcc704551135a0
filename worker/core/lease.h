// Until when this worker may run what must not run twice, and by whose word.
//
// One master only extends it. The next master, of a higher epoch or another cluster, begins a lease of its own: it
// counts on that one to have ended what it gave out, so a longer one of its predecessor (a master that ends in order
// promises a long one) must not outlast it. Pure. Thread rule: one thread.
#pragma once

#include <algorithm>
#include <string>

#include "absl/time/time.h"
#include "common/domain/ids.h"

namespace muster::worker {

class Lease {
 public:
  void Extend(absl::Time until, const std::string& cluster_id, Epoch epoch) {
    if (cluster_id != cluster_id_ || epoch > epoch_) {
      until_ = until;
      cluster_id_ = cluster_id;
      epoch_ = epoch;
    } else if (epoch == epoch_) {
      until_ = std::max(until_, until);
    }
  }

  absl::Time until() const { return until_; }

 private:
  absl::Time until_ = absl::InfinitePast();
  std::string cluster_id_;
  Epoch epoch_;
};

}  // namespace muster::worker
