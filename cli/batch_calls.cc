#include "cli/batch_calls.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "cli/errors.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kLeastPause = absl::Milliseconds(100);  // between two tries for room

int ItemsOf(const v1::SubmitBatchRequest& call) { return call.tasks_size() + call.rows_size(); }

template <typename Items>
void MoveFirst(int count, Items* from, Items* to) {
  count = std::min(count, from->size());
  for (int i = 0; i < count; ++i) to->Add()->Swap(from->Mutable(i));
  from->DeleteSubrange(0, count);
}

v1::SubmitBatchRequest TakeFirst(int count, v1::SubmitBatchRequest* call) {
  v1::SubmitBatchRequest first;
  MoveFirst(count, call->mutable_tasks(), first.mutable_tasks());
  MoveFirst(count, call->mutable_rows(), first.mutable_rows());
  return first;
}

void PutBack(v1::SubmitBatchRequest* first, v1::SubmitBatchRequest* call) {
  MoveFirst(call->tasks_size(), call->mutable_tasks(), first->mutable_tasks());
  MoveFirst(call->rows_size(), call->mutable_rows(), first->mutable_rows());
  call->Swap(first);
}

}  // namespace

absl::Status BatchCalls::Send(v1::SubmitBatchRequest call, const Prepare& prepare, const Accepted& accepted) {
  while (ItemsOf(call) > 0) {
    v1::SubmitBatchRequest next = TakeFirst(most_items_, &call);
    prepare(&next);
    const absl::StatusOr<v1::SubmitBatchResponse> response = SendOne(next);
    if (!response.ok() && IsStopped()) return absl::OkStatus();
    if (ReasonOf(response.status()) == kCallTooLarge && ItemsOf(next) > 1) {
      most_items_ = ItemsOf(next) / 2;
      PutBack(&next, &call);
      continue;
    }
    MUSTER_RETURN_IF_ERROR(response.status());
    accepted_any_ = true;
    if (!accepted(next, *response)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitBatchResponse> BatchCalls::SendOne(const v1::SubmitBatchRequest& call) {
  while (true) {
    absl::StatusOr<v1::SubmitBatchResponse> response = client_->SubmitBatch(call);
    const bool is_full = ReasonOf(response.status()) == "QUEUE_FULL" && IsPassing(response.status());
    if (!is_full || !accepted_any_ || !options_.waits_for_room || IsStopped()) return response;
    MUSTER_RETURN_IF_ERROR(client_->Pause(std::max(kLeastPause, RetryAfterOf(response.status()).value_or(kLeastPause))));
  }
}

}  // namespace muster::cli
