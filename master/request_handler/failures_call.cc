#include "master/request_handler/failures_call.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/failure_groups.h"

namespace muster::handler {
namespace {

constexpr size_t kMostFailures = 10'000;
constexpr absl::Duration kDefaultSince = absl::Hours(1);

void FillGroup(const FailureGroup& from, v1::FailureGroup* to) {
  to->set_cause(from.cause);
  to->set_end_reason(static_cast<v1::EndReason>(from.reason));
  to->set_code(from.code);
  to->set_text(from.text);
  to->set_example(from.example);
  to->set_count(from.count);
  std::vector<std::pair<std::string, int64_t>> workers(from.workers.begin(), from.workers.end());
  std::stable_sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [worker, count] : workers) {
    v1::WorkerFailures* on = to->add_workers();
    on->set_worker(worker);
    on->set_count(count);
  }
  for (const TaskId task : from.examples) to->add_example_task_ids(IdToText(task.value()));
  for (const TaskId task : from.to_retry) to->add_retry_task_ids(IdToText(task.value()));
  to->set_retry_count(from.to_retry_count);
  convert::ToProto(from.first, to->mutable_first_time());
  convert::ToProto(from.last, to->mutable_last_time());
}

}  // namespace

absl::Status ListFailures(store::Store* store, absl::Time now, const v1::ListFailuresRequest& request,
                          v1::ListFailuresResponse* response) {
  const absl::Duration since = request.has_since() ? convert::FromProto(request.since()) : kDefaultSince;
  if (since < absl::ZeroDuration()) return RefuseField("BAD_AGE", "since", "is negative");
  MUSTER_ASSIGN_OR_RETURN(const store::FailureScan scan, store->RecentFailures(now - since, kMostFailures));
  FailureGroups groups;
  for (const store::FailedAttempt& failure : scan.failures) groups.Add(failure);
  int64_t count = 0;
  for (const FailureGroup& group : groups.Take()) {
    if (!request.cause().empty() && group.cause != request.cause()) continue;
    count += group.count;
    FillGroup(group, response->add_groups());
  }
  response->set_count(count);
  response->set_truncated(!scan.complete);
  return absl::OkStatus();
}

}  // namespace muster::handler
