#include "master/dispatcher/dispatcher.h"

#include <type_traits>
#include <utility>
#include <variant>

namespace muster::dispatcher {
namespace {

template <typename T>
inline constexpr bool kIsOrder =
    std::is_same_v<T, core::Assign> || std::is_same_v<T, core::Stop> || std::is_same_v<T, core::Recall> ||
    std::is_same_v<T, core::Acknowledge> || std::is_same_v<T, core::SendDrain>;

}  // namespace

Dispatcher::Dispatcher(SessionPorts ports, DialWorker dial) : ports_(std::move(ports)), dial_(std::move(dial)) {}

Dispatcher::~Dispatcher() { Shutdown(); }

void Dispatcher::Shutdown(absl::Duration grace) {
  std::vector<SessionPtr> open;
  {
    absl::MutexLock lock(&mutex_);
    shut_down_ = true;
    for (auto& [worker, session] : sessions_) open.push_back(session);
  }
  for (const SessionPtr& session : open) session->Leave();
  const auto none_runs = absl::Condition(+[](size_t* running) { return *running == 0; }, &running_);
  {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(none_runs, grace);
    open.clear();
    for (auto& [worker, session] : sessions_) open.push_back(session);
  }
  for (const SessionPtr& session : open) session->Close("the master stops", false);
  open.clear();
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(none_runs);
  }
  Bury();
}

void Dispatcher::OnEffects(const std::vector<core::Effect>& effects, CommitNumber) {
  Bury();
  absl::flat_hash_map<WorkerId, SessionPtr> touched;
  const auto add = [&](WorkerId worker, SessionNumber number, auto order) {
    const auto [at, is_new] = touched.try_emplace(worker);
    if (is_new) at->second = Find(worker);
    if (at->second != nullptr && at->second->number() == number) at->second->Add(std::move(order));
  };
  for (const core::Effect& effect : effects) {
    std::visit(
        [&](const auto& e) {
          using T = std::decay_t<decltype(e)>;
          if constexpr (kIsOrder<T>) {
            add(e.worker, e.session, e);
          } else if constexpr (std::is_same_v<T, core::OpenSession>) {
            Open(e);
            touched.erase(e.worker);
          } else if constexpr (std::is_same_v<T, core::CloseSession>) {
            Close(e);
          }
        },
        effect);
  }
  for (const auto& [worker, session] : touched) {
    if (session != nullptr) session->Wake();
  }
}

void Dispatcher::Open(const core::OpenSession& order) {
  const SessionPtr session = WorkerSession::Make(
      order, dial_(order.name, order.address), &ports_,
      [this, worker = order.worker](SessionPtr ended) { OnEnded(worker, std::move(ended)); });
  SessionPtr replaced;
  {
    absl::MutexLock lock(&mutex_);
    if (shut_down_) return;
    ++running_;
    replaced = std::exchange(sessions_[order.worker], session);
  }
  if (replaced != nullptr) replaced->Close("replaced by a newer session", false);
  session->Begin();
}

void Dispatcher::Close(const core::CloseSession& order) {
  const SessionPtr session = Find(order.worker);
  if (session != nullptr && session->number() == order.session) session->Close(order.reason, false);
}

void Dispatcher::OnEnded(WorkerId worker, SessionPtr session) {
  absl::MutexLock lock(&mutex_);
  const auto found = sessions_.find(worker);
  if (found != sessions_.end() && found->second == session) sessions_.erase(found);
  ended_.push_back(std::move(session));
  --running_;
}

void Dispatcher::Bury() {
  std::vector<SessionPtr> ended;
  absl::MutexLock lock(&mutex_);
  ended.swap(ended_);
}

Dispatcher::SessionPtr Dispatcher::Find(WorkerId worker) const {
  absl::MutexLock lock(&mutex_);
  const auto found = sessions_.find(worker);
  return found == sessions_.end() ? nullptr : found->second;
}

void Dispatcher::Control(WorkerId worker, OutputOrder order) {
  const SessionPtr session = Find(worker);
  if (session == nullptr || !session->reachable()) return;  // OnWorkerReachable makes the readers subscribe anew
  session->Add(order);
  session->Wake();
}

void Dispatcher::Subscribe(WorkerId worker, AttemptKey key, core::OutputStreamKind stream, int64_t offset,
                           bool lossless) {
  Control(worker, {key, stream, OutputOrder::Action::kSubscribe, offset, lossless});
}

void Dispatcher::Acknowledge(WorkerId worker, AttemptKey key, core::OutputStreamKind stream, int64_t offset) {
  Control(worker, {key, stream, OutputOrder::Action::kAcknowledge, offset, false});
}

void Dispatcher::Pause(WorkerId worker, AttemptKey key, core::OutputStreamKind stream) {
  Control(worker, {key, stream, OutputOrder::Action::kPause, 0, false});
}

void Dispatcher::Detach(WorkerId worker, AttemptKey key, core::OutputStreamKind stream) {
  Control(worker, {key, stream, OutputOrder::Action::kDetach, 0, false});
}

size_t Dispatcher::session_count() const {
  absl::MutexLock lock(&mutex_);
  return sessions_.size();
}

}  // namespace muster::dispatcher
