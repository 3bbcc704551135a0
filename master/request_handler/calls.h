// Calls that wait for the core's answer: a service draws an id, posts its event, and is called back when the answer's
// turn is durable.
//
//   CallId call = calls->Expect<core::SubmitAnswer>([this](absl::StatusOr<core::SubmitAnswer> answer) { ... });
//   if (!events->Post(core::SubmitTasks{.call = call, ...})) { calls->Abandon(call); refuse(events->Refusal()); }
//
// A refusal in the answer (its `status`) arrives as the StatusOr's status, so a value is always good news. Register it
// as the LAST effect listener: what watchers are told of a turn comes before the answer that lets a client ask.
//
// Thread rule: any thread. A completion runs once: on the loop's thread (hand over and return: no waiting, no heavy
// work), or in FailAll's. It never runs once Abandon has returned true. Ownership: completions are owned until then;
// what they point to must outlive them.
// Errors: FailAll answers with the status that it is given (UNAVAILABLE when the master stops).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"

namespace muster::handler {

// Answers a call, once.
using Done = std::function<void(const absl::Status&)>;

class PendingCalls final : public core::EffectListener {
 public:
  // `answer` is null when `status` says why there is none.
  using Completion = std::function<void(const absl::Status& status, const core::Effect* answer)>;

  CallId Register(Completion completion) ABSL_LOCKS_EXCLUDED(mutex_);

  // For one kind of answer: SubmitAnswer, CancelAnswer, JoinAnswer, HeartbeatAnswer, WorkerAnswer.
  template <typename Answer>
  CallId Expect(std::function<void(absl::StatusOr<Answer>)> done) {
    return Register([done = std::move(done)](const absl::Status& status, const core::Effect* effect) {
      const Answer* answer = effect == nullptr ? nullptr : std::get_if<Answer>(effect);
      if (answer == nullptr) {
        done(status.ok() ? absl::InternalError("the answer is of another kind") : status);
        return;
      }
      if constexpr (requires { answer->status; }) {
        if (!answer->status.ok()) {
          done(answer->status);
          return;
        }
      }
      done(*answer);
    });
  }

  // True: it was still pending, and will not be completed any more.
  bool Abandon(CallId call) ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers everything that is pending, and everything that registers from now on.
  void FailAll(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Complete(CallId call, const core::Effect& answer) ABSL_LOCKS_EXCLUDED(mutex_);

  std::atomic<uint64_t> next_call_{1};
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<CallId, Completion> pending_ ABSL_GUARDED_BY(mutex_);
  absl::Status failed_ ABSL_GUARDED_BY(mutex_);  // not OK: no more calls
};

}  // namespace muster::handler
