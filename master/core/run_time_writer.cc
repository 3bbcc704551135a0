#include "master/core/run_time_writer.h"

namespace muster::core {

void RunTimeWriter::Restore(const std::vector<LearnedRunTimes>& rows) {
  for (const LearnedRunTimes& row : rows) cluster_.run_times.Restore(row);
}

void RunTimeWriter::OnTurn(const Moment& turn) {
  Transaction& rows = turn.rows();
  scheduler::RunTimes& known = cluster_.run_times;
  if (!rows.NeedsSync() || !known.HasChanged()) return;
  if (turn.now < next_ && !rows.clean_end) return;
  rows.run_times.dropped = known.TakeDropped();
  rows.run_times.learned = known.TakeChanged(rows.clean_end ? scheduler::RunTimes::kMaxFingerprints : kPart);
  next_ = turn.now + (known.HasChanged() ? kBetweenParts : kBetween);
}

}  // namespace muster::core
