// Which of the master's sessions is obeyed: the newest (cluster, epoch, number).
//
// Of a cluster that was met before, no epoch below the highest one seen is obeyed, and within an epoch no number that
// is not higher. Pure. Thread rule: one thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/domain/ids.h"

namespace muster::worker {

class SessionOrder {
 public:
  struct Verdict {
    std::string refused_because;    // empty: it is the newest, and is obeyed from now on
    std::string left_cluster;       // not empty: it is of another cluster than the one before
  };
  Verdict Offer(const std::string& cluster_id, Epoch epoch, SessionNumber session);

  // Whether the master whose answer this is has closed the session that is obeyed now. Empty id: it does not say.
  bool IsClosed(const std::string& cluster_id, Epoch epoch, SessionNumber first_valid) const;

  const std::string& cluster_id() const { return current_; }

 private:
  struct Seen {
    std::string cluster_id;
    Epoch epoch;
    SessionNumber session;
  };
  static constexpr size_t kMostClusters = 16;  // the one met longest ago is forgotten

  std::vector<Seen> seen_;  // the one met last is last
  std::string current_;
};

}  // namespace muster::worker
