// What becomes of an attempt whose worker is gone: decided per task by on_worker_loss (semantics.md, P4).
//
//   how it was lost          RERUN                 RERUN_AFTER_FENCE           HOLD
//   silence (LOST)           PENDING, due at once  PENDING until it is fenced  UNKNOWN until it gives up
//   Hello of another one     PENDING, due at once  PENDING, due at once        UNKNOWN, then LOST at once
//   proven never started     QUEUED under every mode, nothing used
//
// Hello of a new incarnation proves that its predecessor's process died; only then a started attempt counts against
// max_worker_losses. A Join alone proves nothing: it may be older than the process that has the name. Silence may be a partition and does not count; when a new incarnation turns up after it, the
// loss counts from then on (remembered in memory alone: a restart of the master in between forgets it, which errs on
// the side of running the task again).
// Thread rule: one thread.
#pragma once

#include <string>

#include "master/core/cluster.h"
#include "master/core/transitions.h"

namespace muster::core {

enum class LossKind : uint8_t { kSilence, kProcessDied };

class Losses {
 public:
  Losses(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  // The worker was silent for too long: every attempt there.
  void WorkerSilent(const Moment& turn, WorkerId worker);
  // Another process has the name and has said hello: every attempt of other incarnations than `current`.
  void WorkerReplaced(const Moment& turn, WorkerId worker, Incarnation current);
  // Another process has joined under its name and never said hello: every attempt of other incarnations.
  void PredecessorSilent(const Moment& turn, WorkerId worker, Incarnation current);

  // One attempt, for whatever reason its worker does not have it any more.
  void Lose(const Moment& turn, Task& task, LossKind kind, const std::string& why);
  // Proven by a Hello, a refusal, or "given back".
  void NeverStarted(const Moment& turn, Task& task, EndReason reason, const std::string& why);
  // UNKNOWN for too long, or for ever.
  void GiveUp(const Moment& turn, Task& task, const std::string& why);

 private:
  void Silent(const Moment& turn, Task& task, const std::string& why);
  void Hold(const Moment& turn, Task& task, LossKind kind, const std::string& why);
  bool CountLoss(const Moment& turn, Task& task, const std::string& why);
  absl::Time RerunAt(const Moment& turn, const Task& task, LossKind kind) const;

  Cluster& cluster_;
  Transitions& transitions_;
};

}  // namespace muster::core
