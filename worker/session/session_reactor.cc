#include "worker/session/session_reactor.h"

#include <utility>

#include "common/telemetry/log.h"
#include "worker/session/order_reader.h"

namespace muster::worker {

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
  message->events.emplace_back(ReadOpening(request_.open(), stream_));
  return true;
}

void SessionReactor::Take(SessionMessage* message) {
  const OrderContext context{ports_->here, ports_->drain_timeout, ports_->clock->Now()};
  const uint32_t malformed = ReadOrders(request_, context, message);
  if (malformed == 0) return;
  MUSTER_LOG(kWarning, "assignments with impossible names dropped", {{"count", malformed}});
}

}  // namespace muster::worker
