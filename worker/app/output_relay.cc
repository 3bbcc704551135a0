#include "worker/app/output_relay.h"

#include <vector>

#include "worker/execution/execution_host.h"

namespace muster::worker {

OutputRelay::OutputRelay(const runtime::Clock* clock, std::function<void()> wake_loop)
    : clock_(clock), wake_loop_(std::move(wake_loop)) {}

void OutputRelay::SetSession(std::shared_ptr<SessionReactor> session) {
  Subscriptions ended;
  {
    absl::MutexLock lock(&mutex_);
    session_ = std::move(session);
    ended.swap(subscriptions_);
    let_go_ = false;
  }
  for (const auto& [stream, subscription] : ended) {
    if (subscription.state != Subscription::State::kNotStarted) host_->Pause(stream.first, stream.second);
  }
}

void OutputRelay::SetLinger(absl::Duration linger) {
  absl::MutexLock lock(&mutex_);
  linger_ = linger;
}

void OutputRelay::Apply(const OutputOrder& order, HeldPhase phase) {
  const StreamOf stream{order.key, order.stream};
  const bool started = phase == HeldPhase::kRunning || phase == HeldPhase::kValidating;
  switch (order.action) {
    case OutputOrder::Action::kSubscribe:
      if (phase == HeldPhase::kFinished) return;  // its result carries what is kept
      {
        absl::MutexLock lock(&mutex_);
        subscriptions_[stream] = {
            .state = started ? Subscription::State::kLive : Subscription::State::kNotStarted,
            .next = order.offset,
            .lossless = order.lossless,
            .resuming = true};
      }
      if (started) host_->Subscribe(order.key, order.stream, order.offset, order.lossless);
      return;
    case OutputOrder::Action::kAcknowledge:
      if (started) host_->Acknowledge(order.key, order.stream, order.offset);
      return;
    case OutputOrder::Action::kPause:
    case OutputOrder::Action::kDetach:
      {
        absl::MutexLock lock(&mutex_);
        subscriptions_.erase(stream);
      }
      if (!started) return;
      if (order.action == OutputOrder::Action::kPause) {
        host_->Pause(order.key, order.stream);
      } else {
        host_->Detach(order.key, order.stream);
      }
  }
}

void OutputRelay::Started(AttemptKey key) {
  std::vector<std::pair<StreamOf, Subscription>> asked;
  {
    absl::MutexLock lock(&mutex_);
    for (const plugin::Stream stream : {plugin::Stream::kStdout, plugin::Stream::kStderr}) {
      const auto it = subscriptions_.find({key, stream});
      if (it == subscriptions_.end()) continue;
      it->second.state = Subscription::State::kLive;
      asked.emplace_back(it->first, it->second);
    }
  }
  for (const auto& [stream, subscription] : asked) {
    host_->Subscribe(stream.first, stream.second, subscription.next, subscription.lossless);
  }
}

void OutputRelay::Forget(AttemptKey key) {
  absl::MutexLock lock(&mutex_);
  subscriptions_.erase({key, plugin::Stream::kStdout});
  subscriptions_.erase({key, plugin::Stream::kStderr});
}

bool OutputRelay::Resume() {
  std::vector<std::pair<StreamOf, Subscription>> again;
  {
    absl::MutexLock lock(&mutex_);
    if (!let_go_) return false;
    if (session_ == nullptr || !session_->queue().HasOutputRoom()) return true;
    let_go_ = false;
    for (auto& [stream, subscription] : subscriptions_) {
      if (subscription.state != Subscription::State::kLetGo) continue;
      subscription.state = Subscription::State::kLive;
      subscription.resuming = true;
      again.emplace_back(stream, subscription);
    }
  }
  for (const auto& [stream, subscription] : again) {
    host_->Subscribe(stream.first, stream.second, subscription.next, subscription.lossless);
  }
  return false;
}

bool OutputRelay::Fit(OutputPiece* piece, Subscription* subscription) {
  const int64_t end = piece->offset + static_cast<int64_t>(piece->bytes.size());
  if (subscription->resuming && piece->offset - piece->skipped > subscription->next) return false;
  if (end <= subscription->next) return false;
  if (piece->offset < subscription->next) {
    piece->bytes.erase(0, static_cast<size_t>(subscription->next - piece->offset));
    piece->offset = subscription->next;
    piece->skipped = 0;
  }
  return true;
}

void OutputRelay::OnOutput(OutputPiece piece) {
  std::shared_ptr<SessionReactor> wake;
  bool full = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = subscriptions_.find({piece.key, piece.stream});
    if (session_ == nullptr || it == subscriptions_.end()) return;
    Subscription& subscription = it->second;
    if (subscription.state != Subscription::State::kLive || !Fit(&piece, &subscription)) return;
    const auto size = static_cast<int64_t>(piece.bytes.size());
    const int64_t end = piece.offset + size;
    if (session_->queue().AddOutput(std::move(piece), clock_->Now() + linger_)) {
      subscription.next = end;
      subscription.resuming = false;
      relayed_bytes_ += size;
      if (linger_ == absl::ZeroDuration()) wake = session_;
    } else {
      subscription.state = Subscription::State::kLetGo;
      full = !let_go_;
      let_go_ = true;
    }
  }
  if (wake != nullptr) wake->Wake();
  if (full) wake_loop_();
}

void OutputRelay::OnLog(LogLine line) {
  constexpr absl::Duration kLogLinger = absl::Milliseconds(100);
  absl::MutexLock lock(&mutex_);
  if (session_ != nullptr) session_->queue().AddLog(std::move(line), clock_->Now() + kLogLinger);
}

int64_t OutputRelay::relayed_bytes() const {
  absl::MutexLock lock(&mutex_);
  return relayed_bytes_;
}

}  // namespace muster::worker
