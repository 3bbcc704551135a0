// Live output on its way from workers to readers: who reads which attempt, one subscription per stream at the worker.
//
//   dispatcher ──OnOutput──▶ OutputRelay ──▶ each reader of that attempt
//   reader ──Subscribe, Acknowledge, Leave──▶ OutputRelay ──OutputSource──▶ dispatcher
//
// Several readers share the worker's one subscription: it starts at the lowest offset that anyone wants, and each
// reader drops what it has. Bytes count as acknowledged when every lossless reader is done with them. When a session
// with the worker is open again, everything is subscribed anew from where the readers are.
//
// Thread rule: any thread; readers are called without its lock held. Ownership: readers are shared and held until they
// leave. Errors: none; a worker that is away is heard of again by OnWorkerReachable.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "master/core/ports.h"

namespace muster::handler {

class OutputReader {
 public:
  virtual ~OutputReader() = default;
  virtual void OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                        int64_t skipped) = 0;
  // The first byte that it does not have; negative: it wants nothing of this stream.
  virtual int64_t WantedOffset(AttemptKey key, core::OutputStreamKind stream) = 0;
};

class OutputRelay {
 public:
  // Once, before anything is subscribed. Null until then: nothing is live.
  void SetSource(core::OutputSource* source) { source_ = source; }

  // From `offset` on; again, to be sent anew from there.
  void Subscribe(const std::shared_ptr<OutputReader>& reader, WorkerId worker, AttemptKey key,
                 core::OutputStreamKind stream, int64_t offset, bool lossless);
  void Acknowledge(OutputReader* reader, AttemptKey key, core::OutputStreamKind stream, int64_t offset);
  // It will ask again with Subscribe: the worker need not send in vain meanwhile. Lossless readers never say so.
  void Hold(OutputReader* reader, AttemptKey key, core::OutputStreamKind stream);
  enum class Why {
    kEnded,     // the attempt: nothing to tell the worker
    kGone,      // the reader, perhaps to come back: lossless bytes are held for the grace
    kDetached,  // the reader left for good: the command shall not wait for it
  };
  void Leave(OutputReader* reader, AttemptKey key, Why why);
  void LeaveAll(OutputReader* reader, Why why);

  void OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                int64_t skipped);
  void OnWorkerReachable(WorkerId worker);

  size_t attempt_count() const;

 private:
  struct Reading {
    std::shared_ptr<OutputReader> reader;
    bool lossless = false;
    bool held = false;
    int64_t acknowledged = 0;
  };
  struct Attempt {
    WorkerId worker;
    std::array<std::vector<Reading>, 2> streams;
    std::array<int64_t, 2> acknowledged{};  // as the worker was told
  };
  struct Order;  // what to tell the source, once the lock is free

  static size_t Index(core::OutputStreamKind stream) { return stream == core::OutputStreamKind::kStdout ? 0 : 1; }
  void LeaveLocked(OutputReader* reader, AttemptKey key, Why why, std::vector<Order>* orders)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(const std::vector<Order>& orders);

  core::OutputSource* source_ = nullptr;
  mutable absl::Mutex mutex_;
  absl::flat_hash_map<AttemptKey, Attempt> attempts_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<OutputReader*, absl::flat_hash_set<AttemptKey>> by_reader_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<WorkerId, absl::flat_hash_set<AttemptKey>> by_worker_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::handler
