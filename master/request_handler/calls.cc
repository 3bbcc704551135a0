#include "master/request_handler/calls.h"

namespace muster::handler {
namespace {

// Null for what answers no call.
const CallId* CallOf(const core::Effect& effect) {
  return std::visit(
      [](const auto& e) -> const CallId* {
        if constexpr (requires { e.call; }) {
          return &e.call;
        } else {
          return nullptr;
        }
      },
      effect);
}

}  // namespace

CallId PendingCalls::Register(Completion completion) {
  const CallId call(next_call_.fetch_add(1, std::memory_order_relaxed));
  absl::Status failed;
  {
    absl::MutexLock lock(&mutex_);
    failed = failed_;
    if (failed.ok()) pending_.emplace(call, std::move(completion));
  }
  if (!failed.ok()) completion(failed, nullptr);
  return call;
}

bool PendingCalls::Abandon(CallId call) {
  absl::MutexLock lock(&mutex_);
  return pending_.erase(call) > 0;
}

void PendingCalls::FailAll(const absl::Status& status) {
  absl::flat_hash_map<CallId, Completion> all;
  {
    absl::MutexLock lock(&mutex_);
    failed_ = status;
    all.swap(pending_);
  }
  for (auto& [call, completion] : all) completion(status, nullptr);
}

size_t PendingCalls::size() const {
  absl::MutexLock lock(&mutex_);
  return pending_.size();
}

void PendingCalls::OnEffects(const std::vector<core::Effect>& effects, CommitNumber) {
  for (const core::Effect& effect : effects) {
    if (const CallId* call = CallOf(effect)) Complete(*call, effect);
  }
}

void PendingCalls::Complete(CallId call, const core::Effect& answer) {
  Completion completion;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = pending_.find(call);
    if (found == pending_.end()) return;  // abandoned, or the event came from nobody's call
    completion = std::move(found->second);
    pending_.erase(found);
  }
  completion(absl::OkStatus(), &answer);
}

}  // namespace muster::handler
