#include "master/request_handler/purge_call.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::handler {
namespace {

constexpr absl::Duration kOneCall = absl::Milliseconds(500);

absl::StatusOr<store::PurgeOrder> OrderOf(absl::Time now, const v1::PurgeTasksRequest& request) {
  store::PurgeOrder order{.dry_run = request.dry_run()};
  const absl::Duration age = convert::FromProto(request.older_than());
  if (age < absl::ZeroDuration()) return RefuseField("BAD_AGE", "older_than", "is negative");
  order.ended_before = now - age;
  if (request.page_token().empty()) return order;
  const std::pair<std::string, std::string> parts = absl::StrSplit(request.page_token(), absl::MaxSplits('.', 1));
  uint64_t from = 0;
  int64_t before_ns = 0;
  if (!absl::SimpleAtoi(parts.first, &from) || !absl::SimpleAtoi(parts.second, &before_ns)) {
    return RefuseField("BAD_PAGE_TOKEN", "page_token", "is not one that a call before has given");
  }
  order.from = TaskId(from);
  order.ended_before = std::min(now, absl::FromUnixNanos(before_ns));
  return order;
}

}  // namespace

absl::Status PurgeTasks(store::Store* store, absl::Time now, const v1::PurgeTasksRequest& request,
                        v1::PurgeTasksResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(store::PurgeOrder order, OrderOf(now, request));
  const absl::Time until = absl::Now() + kOneCall;
  uint64_t count = 0;
  do {
    MUSTER_ASSIGN_OR_RETURN(const store::PurgeProgress part, store->Purge(order));
    count += part.tasks;
    order.from = part.next;
    if (part.done) {
      response->set_count(static_cast<int64_t>(count));
      return absl::OkStatus();
    }
  } while (absl::Now() < until);
  response->set_count(static_cast<int64_t>(count));
  response->set_next_page_token(absl::StrCat(order.from.value(), ".", absl::ToUnixNanos(order.ended_before)));
  return absl::OkStatus();
}

}  // namespace muster::handler
