// The attempts that a worker holds: waiting for a slot, running, or finished and not yet acknowledged.
//
// One record per attempt; its state carries its data. The order of arrival is kept for what waits and for Hello.
// Pure. Thread rule: one thread, the worker's loop; pointers are good until the next change of the table.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster::worker {

struct Held {
  // Accepted; no slot yet.
  struct Waiting {
    std::shared_ptr<const void> work;
  };
  struct Running {
    std::optional<absl::Time> started;  // the host said so
    std::optional<absl::Time> validating;  // its work has ended well, and what validates it runs
    bool killed = false;                // by force: there is nothing stronger
  };
  // The result is kept until it is acknowledged.
  struct Finished {
    AttemptReportPtr report;
  };

  AttemptKey key;
  uint32_t slots = 1;
  OnWorkerLoss on_worker_loss = OnWorkerLoss::kRerun;
  uint64_t arrival = 0;
  std::variant<Waiting, Running, Finished> state;

  bool fenced() const { return on_worker_loss == OnWorkerLoss::kRerunAfterFence; }
};

class HeldAttempts {
 public:
  // The key must be new.
  void Accept(Held attempt);
  Held* Find(AttemptKey key);
  const Held* Find(AttemptKey key) const;

  // The oldest that waits; null: none does.
  Held* NextWaiting();
  void MoveToRunning(Held* attempt);
  void MoveToFinished(Held* attempt, AttemptReportPtr report);
  void Remove(AttemptKey key);

  // In the order of their arrival.
  std::vector<Held*> All();
  std::vector<AttemptKey> RunningKeys() const;

  size_t size() const { return held_.size(); }
  uint32_t waiting() const { return static_cast<uint32_t>(waiting_.size()); }
  uint32_t running() const { return running_; }
  uint32_t fenced_running() const { return fenced_running_; }
  uint32_t fenced_waiting() const { return fenced_waiting_; }
  uint32_t finished() const { return static_cast<uint32_t>(held_.size()) - waiting() - running_; }
  uint32_t used_slots() const { return used_slots_; }

  void CheckInvariants() const;

 private:
  void Uncount(const Held& attempt);

  absl::flat_hash_map<AttemptKey, std::unique_ptr<Held>> held_;
  std::map<uint64_t, Held*> waiting_;  // by arrival
  uint64_t arrivals_ = 0;
  uint32_t running_ = 0;
  uint32_t fenced_running_ = 0;
  uint32_t fenced_waiting_ = 0;
  uint32_t used_slots_ = 0;
};

}  // namespace muster::worker
