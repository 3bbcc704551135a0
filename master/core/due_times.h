// What comes due when: one ordered set of deadlines. Each belongs to a task or a worker and is set and unset exactly,
// so that the earliest one is always true.
//
// Thread rule: one thread. Cost: O(log n) for each operation, NextDue O(1).
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>

#include "absl/container/btree_set.h"
#include "absl/time/time.h"

namespace muster::core {

enum class DueKind : uint8_t {
  kTask,          // id is a TaskId: its state's own time
  kPause,         // id is a TaskId: queued, and looked at again
  kSessionRetry,  // id is a WorkerId, here and below
  kDrainDeadline,
  kProofDeadline,
};

struct Due {
  absl::Time at;
  DueKind kind;
  uint64_t id;

  friend bool operator<(const Due& a, const Due& b) {
    return std::tie(a.at, a.kind, a.id) < std::tie(b.at, b.kind, b.id);
  }
};

class DueTimes {
 public:
  // An infinite time sets nothing.
  void Set(absl::Time at, DueKind kind, uint64_t id) {
    if (at != absl::InfiniteFuture()) dues_.insert(Due{at, kind, id});
  }
  void Unset(absl::Time at, DueKind kind, uint64_t id) { dues_.erase(Due{at, kind, id}); }
  bool Has(absl::Time at, DueKind kind, uint64_t id) const { return dues_.contains(Due{at, kind, id}); }

  absl::Time Next() const { return dues_.empty() ? absl::InfiniteFuture() : dues_.begin()->at; }

  // Takes out the earliest when it is due.
  std::optional<Due> TakeDue(absl::Time now) {
    if (dues_.empty() || dues_.begin()->at > now) return std::nullopt;
    const Due due = *dues_.begin();
    dues_.erase(dues_.begin());
    return due;
  }
  size_t size() const { return dues_.size(); }

 private:
  absl::btree_set<Due> dues_;
};

}  // namespace muster::core
