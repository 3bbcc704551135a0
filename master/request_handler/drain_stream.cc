#include "master/request_handler/drain_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"

namespace muster::handler {

void DrainStream::Begin(absl::Duration deadline, std::string reason) {
  deadline_ = deadline;
  core::DrainWorker drain{.name = worker_, .deadline = deadline, .reason = std::move(reason)};
  drain.call =
      ports_.calls->Expect<core::WorkerAnswer>([self = Self()](const absl::StatusOr<core::WorkerAnswer>& answer) {
        if (answer.ok()) {
          self->Poll();
        } else {
          self->End(answer.status());
        }
      });
  const CallId call = drain.call;
  if (!ports_.events->Post(std::move(drain)) && ports_.calls->Abandon(call)) End(ports_.events->Refusal());
}

void DrainStream::Poll() {
  if (over()) return;
  const bool asked = ports_.inspector->Inspect(
      [self = Self()](const core::ClusterCore& core, absl::Time now) { self->Look(core, now); });
  if (!asked) PollLater();
}

void DrainStream::PollLater() {
  ports_.timers->After(ports_.poll, [self = Self()] { self->Poll(); });
}

void DrainStream::Look(const core::ClusterCore& core, absl::Time now) {
  const std::optional<WorkerView> view = core.FindWorker(worker_);
  if (!view.has_value()) {
    End(Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKER", absl::StrCat("no worker is named ", worker_)));
    return;
  }
  if (view->state == WorkerState::kActive) {
    End(Refuse(absl::StatusCode::kAborted, "RESUMED", absl::StrCat(worker_, " was resumed meanwhile")));
    return;
  }
  if (view->state == WorkerState::kLost) {
    TellOfLoss(core, *view);
    End(absl::OkStatus());
    return;
  }
  if (began_ == absl::InfinitePast()) began_ = now;
  const uint32_t remaining = core.AttemptsOn(view->id);
  std::vector<TaskId> there = core.TasksOn(view->id, kMostNamed);
  const std::vector<TaskId> requeued = Requeued(core, there);
  there_ = std::move(there);
  const bool done = remaining == 0;
  if (done || told_ != remaining || !requeued.empty() || now >= told_at_ + kRepeat) Tell(*view, remaining, requeued, now);
  if (done) {
    End(absl::OkStatus());
  } else {
    PollLater();
  }
}

std::vector<TaskId> DrainStream::Requeued(const core::ClusterCore& core, const std::vector<TaskId>& there) const {
  std::vector<TaskId> requeued;
  for (const TaskId id : there_) {
    if (!std::binary_search(there.begin(), there.end(), id) && core.IsOpen(id)) requeued.push_back(id);
  }
  return requeued;
}

// What was there at the last look was given up with the worker, and may run on; what waits to be heard of again (under
// hold) is there still.
void DrainStream::TellOfLoss(const core::ClusterCore& core, const WorkerView& view) {
  v1::DrainWorkerResponse response;
  convert::ToProto(view, response.mutable_worker());
  response.set_remaining(core.AttemptsOn(view.id));
  response.set_done(true);
  response.set_unaccounted(std::max(told_.value_or(0), response.remaining()));
  if (there_.empty()) there_ = core.TasksOn(view.id, kMostNamed);
  for (const TaskId id : there_) response.add_task_ids(IdToText(id.value()));
  Push(std::move(response));
}

void DrainStream::Tell(const WorkerView& view, uint32_t remaining, const std::vector<TaskId>& requeued, absl::Time now) {
  told_ = remaining;
  told_at_ = now;
  v1::DrainWorkerResponse response;
  convert::ToProto(view, response.mutable_worker());
  response.set_remaining(remaining);
  response.set_done(remaining == 0);
  for (const TaskId id : there_) response.add_task_ids(IdToText(id.value()));
  for (const TaskId id : requeued) response.add_requeued_task_ids(IdToText(id.value()));
  if (deadline_ != absl::InfiniteDuration()) {
    convert::ToProto(std::max(absl::ZeroDuration(), began_ + deadline_ - now), response.mutable_time_left());
  }
  Push(std::move(response));
}

}  // namespace muster::handler
