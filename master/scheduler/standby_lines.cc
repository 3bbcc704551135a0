#include "master/scheduler/standby_lines.h"

namespace muster::scheduler {

void StandbyLines::Erase(const ClusterAmounts& amounts, QueueIndex queue, const Head& head) {
  Line& line = lines_[amounts];
  absl::btree_set<Head>& heads = line.heads[queue];
  heads.erase(head);
  if (heads.empty()) line.heads.erase(queue);
}

void StandbyLines::Count(const ClusterAmounts& amounts, int64_t tasks) {
  const auto line = lines_.find(amounts);
  line->second.tasks += static_cast<uint64_t>(tasks);
  if (line->second.tasks == 0) lines_.erase(line);
}

const StandbyLines::Line* StandbyLines::Find(const ClusterAmounts& amounts) const {
  const auto found = lines_.find(amounts);
  return found == lines_.end() ? nullptr : &found->second;
}

}  // namespace muster::scheduler
