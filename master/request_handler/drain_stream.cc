#include "master/request_handler/drain_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"

namespace muster::handler {

void DrainStream::Begin(absl::Duration deadline, std::string reason) {
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
      [self = Self()](const core::ClusterCore& core, absl::Time) { self->Look(core); });
  if (!asked) PollLater();
}

void DrainStream::PollLater() {
  ports_.timers->After(ports_.poll, [self = Self()] { self->Poll(); });
}

void DrainStream::Look(const core::ClusterCore& core) {
  const std::optional<WorkerView> view = core.FindWorker(worker_);
  if (!view.has_value()) {
    End(Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKER", absl::StrCat("no worker is named ", worker_)));
    return;
  }
  if (view->state == WorkerState::kActive) {
    End(Refuse(absl::StatusCode::kAborted, "RESUMED", absl::StrCat(worker_, " was resumed meanwhile")));
    return;
  }
  const uint32_t remaining = core.AttemptsOn(view->id);
  const bool done = remaining == 0 || view->state == WorkerState::kLost;
  if (done || told_ != remaining) {
    told_ = remaining;
    v1::DrainWorkerResponse response;
    convert::ToProto(*view, response.mutable_worker());
    response.set_remaining(remaining);
    response.set_done(done);
    Push(std::move(response));
  }
  if (done) {
    End(absl::OkStatus());
  } else {
    PollLater();
  }
}

}  // namespace muster::handler
