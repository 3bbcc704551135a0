#include "worker/core/session_order.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/planted_fault.h"

namespace muster::worker {

SessionOrder::Verdict SessionOrder::Offer(const std::string& cluster_id, Epoch epoch, SessionNumber session) {
  if (cluster_id.empty()) return {.refused_because = "the session names no cluster"};
  const auto known = std::find_if(seen_.begin(), seen_.end(),
                                  [&cluster_id](const Seen& seen) { return seen.cluster_id == cluster_id; });
  if (known != seen_.end()) {
    // Mutant: an older master is obeyed, too.
    const bool any_epoch = Mutated("skip_epoch_check");
    if (epoch < known->epoch && !any_epoch) {
      return {.refused_because = absl::StrCat("a master of epoch ", known->epoch.value(),
                                              " was obeyed already; this one has epoch ", epoch.value())};
    }
    if (epoch == known->epoch && session <= known->session) {
      return {.refused_because = absl::StrCat("session ", known->session.value(),
                                              " was opened already; this one is ", session.value())};
    }
    seen_.erase(known);
  } else if (seen_.size() >= kMostClusters) {
    seen_.erase(seen_.begin());
  }
  seen_.push_back({cluster_id, epoch, session});
  Verdict verdict;
  if (!current_.empty() && current_ != cluster_id) verdict.left_cluster = current_;
  current_ = cluster_id;
  return verdict;
}

bool SessionOrder::IsClosed(const std::string& cluster_id, Epoch epoch, SessionNumber first_valid) const {
  if (cluster_id.empty() || seen_.empty()) return false;
  const Seen& newest = seen_.back();
  if (cluster_id != newest.cluster_id || epoch > newest.epoch) return true;
  return epoch == newest.epoch && newest.session < first_valid;
}

}  // namespace muster::worker
