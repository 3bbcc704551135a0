// What tasks of each queue get where their submitter says nothing, as the newest durable turn has it: so that the
// specification that is stored is whole, and stays what it was when the queue's defaults change.
//
// Register it before PendingCalls: who was told that a queue is set finds it set.
// Thread rule: any thread. Cost: a look-up under a lock that readers share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/queue_settings.h"
#include "common/domain/task_spec.h"
#include "master/core/ports.h"
#include "muster/v1/task.pb.h"

namespace muster::handler {

class QueueBoard final : public core::EffectListener {
 public:
  // As of the start.
  explicit QueueBoard(const std::map<std::string, QueueSettings>& settings);

  // AcceptSpec (validate.h) with the queue's defaults; `spec` itself gets the owner alone, for its digest is of what
  // the caller sent.
  TaskSpecPtr Accept(v1::TaskSpec* spec) const ABSL_LOCKS_EXCLUDED(mutex_);

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Note(const std::string& queue, const QueueSettings& settings) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  // Of queues that have defaults.
  absl::flat_hash_map<std::string, std::shared_ptr<const QueueSettings>> defaults_ ABSL_GUARDED_BY(mutex_);
};

// Without a board no queue has defaults.
TaskSpecPtr AcceptWhole(const QueueBoard* board, v1::TaskSpec* spec);

// Sets what `spec` leaves unset.
void FillDefaults(const QueueSettings& defaults, v1::TaskSpec* spec);

}  // namespace muster::handler
