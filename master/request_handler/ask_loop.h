// A question to the loop, waited for: what `look` returns, as of one turn between two commits.
//
//   absl::StatusOr<Page> page = AskLoop<Page>(inspector, wait, [=](const core::ClusterCore& core) { ... });
//
// Thread rule: threads that may block (the read pool's), never the loop's own. `look` may run after the wait is over:
// it owns what it uses. Errors: UNAVAILABLE with reason MASTER_BUSY or MASTER_STOPPING.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/refusal.h"
#include "master/core/ports.h"

namespace muster::handler {

template <typename T>
absl::StatusOr<T> AskLoop(core::Inspector* inspector, absl::Duration wait,
                          std::function<T(const core::ClusterCore&)> look) {
  struct Answer {
    absl::Mutex mutex;
    std::optional<T> value ABSL_GUARDED_BY(mutex);
    bool dropped ABSL_GUARDED_BY(mutex) = false;
    bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return value.has_value() || dropped; }
  };
  // Goes with the question; when it dies unasked, the one who waits is told.
  struct Token {
    std::shared_ptr<Answer> answer;
    explicit Token(std::shared_ptr<Answer> a) : answer(std::move(a)) {}
    ~Token() {
      absl::MutexLock lock(&answer->mutex);
      answer->dropped = true;
    }
  };
  auto answer = std::make_shared<Answer>();
  auto token = std::make_shared<Token>(answer);
  const bool asked = inspector->Inspect([token, look = std::move(look)](const core::ClusterCore& core, absl::Time) {
    T value = look(core);
    absl::MutexLock lock(&token->answer->mutex);
    token->answer->value = std::move(value);
  });
  token.reset();
  if (!asked) return RefuseForNow("MASTER_BUSY", "the master has more waiting than it can take", absl::Seconds(1));
  absl::MutexLock lock(&answer->mutex);
  const bool ready = answer->mutex.AwaitWithTimeout(absl::Condition(answer.get(), &Answer::Ready), wait);
  if (answer->value.has_value()) return *std::move(answer->value);
  if (ready) return Refuse(absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping");
  return Refuse(absl::StatusCode::kUnavailable, "MASTER_BUSY", "the master did not answer in time");
}

}  // namespace muster::handler
