// The report of an attempt that ended before it ran: it could not start, or was not allowed to.
// Thread rule: a pure function.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/domain/attempt.h"

namespace muster::worker {

// `why`: for people. `stopped`: because the master asked for it.
inline AttemptReportPtr UnstartedReport(AttemptKey key, EndReason reason, std::string why, absl::Time now,
                                        bool stopped = false) {
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = reason;
  report->end.message = std::move(why);
  report->end_time = now;
  report->stopped = stopped;
  return report;
}

}  // namespace muster::worker
