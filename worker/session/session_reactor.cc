#include "worker/session/session_reactor.h"

#include <utility>

#include "common/convert/convert.h"
#include "common/telemetry/log.h"
#include "worker/session/attempt_work.h"

namespace muster::worker {
namespace {

EndReason ReasonOf(v1::EndReason reason) {
  return v1::EndReason_IsValid(reason) ? static_cast<EndReason>(reason) : EndReason::kCancelled;
}

absl::Duration GraceOf(const v1::StopAttempt& stop) {
  return stop.has_kill_grace() ? convert::FromProto(stop.kill_grace()) : absl::InfiniteDuration();
}

}  // namespace

SessionReactor::SessionReactor(StreamId stream, const Ports* ports)
    : stream_(stream),
      ports_(ports),
      outbox_({.start_write = [this](const v1::SessionResponse* message) { StartWrite(message); },
               .finish =
                   [this](grpc::Status status) {
                     {
                       absl::MutexLock lock(&mutex_);
                       finishing_ = true;
                     }
                     Finish(std::move(status));
                   },
               .fill = [this](v1::SessionResponse* message) { return queue_.Fill(message, ports_->clock->Now()); }}) {}

void SessionReactor::Begin() {
  self_ = shared_from_this();
  StartRead(&request_);
}

void SessionReactor::OnReadDone(bool ok) {
  if (!ok) {
    outbox_.Finish(grpc::Status::OK);
    return;
  }
  SessionMessage message{.stream = stream_};
  if (!opened_) {
    if (!Open(&message)) return;
  } else if (request_.has_open()) {
    outbox_.Finish({grpc::StatusCode::INVALID_ARGUMENT, "a session is opened once"});
    return;
  }
  Take(&message);
  ports_->sink(std::move(message));
  if (unprocessed_.fetch_add(1) + 1 < kMostUnprocessed) StartRead(&request_);
}

void SessionReactor::Processed() {
  if (unprocessed_.fetch_sub(1) != kMostUnprocessed) return;
  absl::MutexLock lock(&mutex_);
  if (!finishing_) StartRead(&request_);
}

void SessionReactor::OnDone() {
  SessionMessage message;
  message.events.emplace_back(SessionEnded{stream_});
  ports_->sink(std::move(message));
  const std::shared_ptr<SessionReactor> self = std::move(self_);  // may be the last
  ports_->done(stream_);
}

bool SessionReactor::Open(SessionMessage* message) {
  if (!request_.has_open()) {
    outbox_.Finish({grpc::StatusCode::INVALID_ARGUMENT, "the first message must open the session"});
    return false;
  }
  opened_ = true;
  const v1::OpenSession& open = request_.open();
  message->events.emplace_back(
      SessionOpening{stream_, open.cluster_id(), Epoch(open.epoch()), SessionNumber(open.session())});
  return true;
}

// An order about an attempt comes after its assignment, so within a message assignments go first.
void SessionReactor::Take(SessionMessage* message) {
  std::vector<WorkerEvent>& events = message->events;
  for (const v1::AttemptKey& key : request_.acknowledge()) {
    events.emplace_back(ResultAcknowledged{stream_, convert::FromProto(key)});
  }
  if (request_.resume()) events.emplace_back(ResumeRequested{stream_});
  ReadAssignments read = ReadAssignmentsOf(request_, stream_, ports_->worker_name);
  if (read.malformed > 0) {
    MUSTER_LOG(kWarning, "assignments with impossible names dropped", {{"count", read.malformed}});
  }
  for (Assigned& assigned : read.assigned) events.emplace_back(std::move(assigned));
  for (const v1::StopAttempt& stop : request_.stops()) {
    events.emplace_back(
        StopRequested{stream_, convert::FromProto(stop.key()), ReasonOf(stop.reason()), GraceOf(stop)});
  }
  for (const v1::AttemptKey& key : request_.recalls()) {
    events.emplace_back(RecallRequested{stream_, convert::FromProto(key)});
  }
  if (request_.has_drain()) {
    const absl::Duration wait = request_.drain().has_deadline() ? convert::FromProto(request_.drain().deadline())
                                                                : ports_->drain_timeout;
    events.emplace_back(DrainRequested{.stream = stream_, .deadline = ports_->clock->Now() + wait});
  }
  TakeOutput(message);
}

void SessionReactor::TakeOutput(SessionMessage* message) {
  for (const v1::OutputControl& control : request_.output()) {
    const bool known = control.stream() == v1::OUTPUT_STREAM_STDOUT || control.stream() == v1::OUTPUT_STREAM_STDERR;
    if (!known || control.action() < v1::OutputControl::ACTION_SUBSCRIBE ||
        control.action() > v1::OutputControl::ACTION_DETACH || control.offset() < 0) {
      continue;
    }
    message->output.push_back({.key = convert::FromProto(control.key()),
                               .stream = static_cast<plugin::Stream>(control.stream()),
                               .action = static_cast<OutputOrder::Action>(control.action()),
                               .offset = control.offset(),
                               .lossless = control.lossless()});
  }
}

}  // namespace muster::worker
