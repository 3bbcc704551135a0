// One call at a time for each key: two tries of the same request that arrive together must not both be accepted.
//
//   gate.Enter(key, [=] { TryAgain(); })     true: go on, and Leave(key) in the end
//                                            false: `again` runs when the key is free
// Thread rule: any thread; `again` runs on the thread that leaves. Bounded by the calls that are open.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace muster::handler {

class RequestGate {
 public:
  bool Enter(const std::string& key, std::function<void()> again) {
    absl::MutexLock lock(&mutex_);
    const auto [it, entered] = waiting_.try_emplace(key);
    if (!entered) it->second.push_back(std::move(again));
    return entered;
  }

  void Leave(const std::string& key) {
    std::vector<std::function<void()>> waiting;
    {
      absl::MutexLock lock(&mutex_);
      const auto it = waiting_.find(key);
      if (it == waiting_.end()) return;
      waiting = std::move(it->second);
      waiting_.erase(it);
    }
    for (const auto& again : waiting) again();
  }

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::vector<std::function<void()>>> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::handler
