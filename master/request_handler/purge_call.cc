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
#include "master/request_handler/ask_loop.h"

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

// Until the walk is over or the call's time is. `count`: how many have gone, also when it fails. True: it is over.
absl::StatusOr<bool> PurgeSome(store::Store* store, store::PurgeOrder* order, int64_t* count) {
  const absl::Time until = absl::Now() + kOneCall;
  do {
    MUSTER_ASSIGN_OR_RETURN(const store::PurgeProgress part, store->Purge(*order));
    *count += static_cast<int64_t>(part.tasks);
    order->from = part.next;
    if (part.done) return true;
  } while (absl::Now() < until);
  return false;
}

absl::Status RecordPurge(const PurgePorts& ports, core::NotePurge note) {
  ports.events->PostAlways(std::move(note));
  // It stands behind the note in the mailbox, and is answered after the commit of its turn.
  return AskLoop<bool>(ports.inspector, ports.inspect_wait, [](const core::ClusterCore&) { return true; }).status();
}

}  // namespace

absl::Status PurgeTasks(const PurgePorts& ports, const std::string& by, absl::Time now,
                        const v1::PurgeTasksRequest& request, v1::PurgeTasksResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(store::PurgeOrder order, OrderOf(now, request));
  int64_t count = 0;
  const absl::StatusOr<bool> over = PurgeSome(ports.store, &order, &count);
  absl::Status recorded;
  if (count > 0 && !order.dry_run) recorded = RecordPurge(ports, {by, order.ended_before, count});
  MUSTER_RETURN_IF_ERROR(over.status());
  MUSTER_RETURN_IF_ERROR(recorded);
  response->set_count(count);
  if (!*over) {
    response->set_next_page_token(absl::StrCat(order.from.value(), ".", absl::ToUnixNanos(order.ended_before)));
  }
  return absl::OkStatus();
}

}  // namespace muster::handler
