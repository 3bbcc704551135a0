#include "master/request_handler/shutdown_run.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::handler {
namespace {

constexpr char kReason[] = "muster shutdown";

std::string Left(uint32_t attempts) {
  return attempts == 1 ? "1 attempt is left" : absl::StrCat(attempts, " attempts are left");
}

}  // namespace

void ShutdownRun::Begin() {
  Say("no new tasks are accepted");
  ports_.events->PostAlways(core::StopAdmission{.reason = kReason});
  if (drain_) {
    Ask(&ShutdownRun::StartDrains);
  } else {
    StopMaster();
  }
}

void ShutdownRun::Join(std::shared_ptr<ShutdownStream> stream) {
  absl::MutexLock lock(&mutex_);
  for (const v1::ShutdownResponse& response : said_) stream->Push(response);
  if (done_) {
    stream->End(absl::OkStatus());
  } else {
    streams_.push_back(std::move(stream));
  }
}

void ShutdownRun::OnStopped() { Say("the master has stopped", true); }

void ShutdownRun::Cut(const absl::Status& status) {
  std::vector<std::shared_ptr<ShutdownStream>> streams;
  {
    absl::MutexLock lock(&mutex_);
    done_ = true;
    streams.swap(streams_);
  }
  for (const auto& stream : streams) stream->End(status);
}

void ShutdownRun::Ask(void (ShutdownRun::*look)(const core::ClusterCore&)) {
  const bool asked = ports_.inspector->Inspect(
      [self = shared_from_this(), look](const core::ClusterCore& core, absl::Time) { (self.get()->*look)(core); });
  if (!asked) ports_.timers->After(ports_.poll, [self = shared_from_this(), look] { self->Ask(look); });
}

void ShutdownRun::StartDrains(const core::ClusterCore& core) {
  for (const WorkerView& worker : core.Workers()) {
    if (worker.state == WorkerState::kLost) continue;
    const uint32_t remaining = core.AttemptsOn(worker.id);
    remaining_[worker.name] = remaining;
    if (worker.state != WorkerState::kDraining) resume_.push_back(worker.name);
    Say(absl::StrCat("draining ", worker.name, ": ", Left(remaining)));
    ports_.events->PostAlways(core::DrainWorker{.name = worker.name, .deadline = deadline_, .reason = kReason});
  }
  Ask(&ShutdownRun::Watch);
}

void ShutdownRun::Watch(const core::ClusterCore& core) {
  bool all_done = true;
  for (auto& [name, told] : remaining_) {
    const std::optional<WorkerView> worker = core.FindWorker(name);
    const bool lost = !worker.has_value() || worker->state == WorkerState::kLost;
    const uint32_t remaining = lost ? 0 : core.AttemptsOn(worker->id);
    if (remaining != told) {
      Say(remaining == 0 ? absl::StrCat(name, lost ? " is lost" : " has drained")
                         : absl::StrCat(name, ": ", Left(remaining)));
      told = remaining;
    }
    all_done = all_done && remaining == 0;
  }
  if (all_done) {
    StopMaster();
  } else {
    ports_.timers->After(ports_.poll, [self = shared_from_this()] { self->Ask(&ShutdownRun::Watch); });
  }
}

void ShutdownRun::StopMaster() {
  Say("stopping the master");
  ports_.request_stop(kReason, resume_);
}

void ShutdownRun::Say(std::string message, bool done) {
  v1::ShutdownResponse response;
  response.set_message(std::move(message));
  response.set_done(done);
  absl::MutexLock lock(&mutex_);
  if (done_) return;
  said_.push_back(response);
  streams_.erase(std::remove_if(streams_.begin(), streams_.end(), [](const auto& stream) { return stream->over(); }),
                 streams_.end());
  for (const auto& stream : streams_) stream->Push(response);
  if (!done) return;
  done_ = true;
  for (const auto& stream : streams_) stream->End(absl::OkStatus());
  streams_.clear();
}

}  // namespace muster::handler
