// Attempts of a former cluster that are being stopped: nobody waits for what they say, but until they have ended they
// take slots, and the fenced among them must not outlive the lease.
//
// Pure. Thread rule: one thread, the worker's loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/container/btree_map.h"
#include "common/domain/ids.h"
#include "worker/core/held_attempts.h"

namespace muster::worker {

class FormerAttempts {
 public:
  void Add(const Held& attempt) {
    if (!attempts_.emplace(attempt.key, Attempt{attempt.slots, attempt.fenced()}).second) return;
    used_slots_ += attempt.slots;
    fenced_ += attempt.fenced() ? 1 : 0;
  }
  // False: it is none of them.
  bool End(AttemptKey key) {
    const auto found = attempts_.find(key);
    if (found == attempts_.end()) return false;
    used_slots_ -= found->second.slots;
    fenced_ -= found->second.fenced ? 1 : 0;
    attempts_.erase(found);
    return true;
  }

  bool Contains(AttemptKey key) const { return attempts_.contains(key); }
  std::vector<AttemptKey> Keys() const {
    std::vector<AttemptKey> keys;
    keys.reserve(attempts_.size());
    for (const auto& [key, attempt] : attempts_) keys.push_back(key);
    return keys;
  }
  uint32_t size() const { return static_cast<uint32_t>(attempts_.size()); }
  uint32_t used_slots() const { return used_slots_; }
  uint32_t fenced() const { return fenced_; }

 private:
  struct Attempt {
    uint32_t slots = 1;
    bool fenced = false;
  };

  absl::btree_map<AttemptKey, Attempt> attempts_;
  uint32_t used_slots_ = 0;
  uint32_t fenced_ = 0;
};

}  // namespace muster::worker
