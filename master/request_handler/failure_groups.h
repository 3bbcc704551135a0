// Failed attempts put together by cause: how they ended, and what the last line of their stderr says with everything
// left out that differs from one time to the next (failure_text.h). Without any stderr, how it ended in words.
//
//   FailureGroups groups;
//   for (const store::FailedAttempt& failure : scan.failures) groups.Add(failure);
//   for (const FailureGroup& group : groups.Take()) ...        // the most frequent first
//
// Bounded: 200 groups, what comes after that is one more of its own; 3 examples and 10,000 tasks to retry in each.
// Thread rule: one thread. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "master/store/store.h"

namespace muster::handler {

struct FailureGroup {
  std::string cause;  // the same for the same cause, whenever it is asked for
  EndReason reason = EndReason::kNone;
  int32_t code = 0;
  std::string text;     // normalised
  std::string example;  // the newest line that it was made of
  int64_t count = 0;
  std::map<std::string, int64_t> workers;
  std::vector<TaskId> examples;     // tasks, the newest first
  std::vector<TaskId> to_retry;     // tasks that ended with it, the newest first
  int64_t to_retry_count = 0;       // all of those
  absl::Time first = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
};

class FailureGroups {
 public:
  static constexpr size_t kMaxGroups = 200;
  static constexpr size_t kExamples = 3;
  static constexpr size_t kMaxToRetry = 10'000;

  void Add(const store::FailedAttempt& failure);
  std::vector<FailureGroup> Take();

 private:
  using Key = std::tuple<EndReason, int32_t, std::string>;

  std::map<Key, FailureGroup> groups_;
};

}  // namespace muster::handler
