// What an attached reader needs from the store: how tasks ended before it came, and output that is not at hand.
#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "master/request_handler/attach_session.h"

namespace muster::handler {
namespace {

constexpr int kFetchAtOnce = 32;  // then other readers have their turn on the pool

}  // namespace

void AttachSession::Fetch() {
  {
    absl::MutexLock lock(&mutex_);
    if (fetching_ || closed_ || fetch_.empty()) return;
    fetching_ = true;
  }
  const bool posted = context_->pool.PostAlways([self = shared_from_this()] {
    absl::Status status;
    for (int i = 0; i < kFetchAtOnce && status.ok(); ++i) {
      TaskId id;
      {
        absl::MutexLock lock(&self->mutex_);
        if (self->fetch_.empty() || !self->RoomToFetch()) break;
        id = self->fetch_.front();
        self->fetch_.pop_front();
      }
      status = self->FetchOne(id);
    }
    bool more = false;
    {
      absl::MutexLock lock(&self->mutex_);
      self->fetching_ = false;
      more = !self->fetch_.empty() && self->RoomToFetch();
    }
    if (!status.ok()) {
      self->hooks_.finish(status);
      return;
    }
    self->hooks_.wake();
    if (more) self->Fetch();
  });
  if (!posted) hooks_.finish(PoolIsFull());
}

absl::Status AttachSession::FetchOne(TaskId id) {
  std::optional<AttemptNumber> number;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = tasks_.find(id);
    if (it == tasks_.end()) return absl::OkStatus();
    it->second.fetching = false;
    number = it->second.task->WantsReport();
    if (!number && !it->second.task->WantsEnd()) return absl::OkStatus();
  }
  if (!number) return FetchEnd(id);
  absl::StatusOr<AttemptReportPtr> report = context_->deps.store->FindReport({id, *number});
  if (!report.ok() && !absl::IsNotFound(report.status())) return std::move(report).status();
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    Update(id, &orders,
           [&](AttachedTask* task) { task->Fetched(*number, report.ok() ? *std::move(report) : nullptr); });
  }
  orders.fetch = false;  // we are at it
  CarryOut(orders);
  return absl::OkStatus();
}

absl::Status AttachSession::FetchEnd(TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> stored, context_->deps.store->FindTask(id));
  if (!stored || !stored->outcome) return absl::InternalError("a task is neither open nor ended");
  AttemptNumber newest = stored->outcome->attempt;
  for (const core::AttemptRow& attempt : stored->attempts) newest = std::max(newest, attempt.key.number);
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    Update(id, &orders, [&](AttachedTask* task) { task->Ended(NoteOf(*stored), newest); });
  }
  orders.fetch = false;
  CarryOut(orders);
  return absl::OkStatus();
}

}  // namespace muster::handler
