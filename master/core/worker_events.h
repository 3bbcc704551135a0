// Workers coming, living, and going: joins, heartbeats, sessions, drains, weights, and the loss of what ran there.
//
// Thread rule: one thread. Errors: NAME_TAKEN, TOO_MANY_WORKERS, NO_SUCH_WORKER in the answers.
#pragma once

#include <string>

#include "absl/container/flat_hash_set.h"
#include "master/core/cluster.h"
#include "master/core/dispatching.h"
#include "master/core/events.h"
#include "master/core/losses.h"
#include "master/core/reports.h"

namespace muster::core {

class WorkerEvents {
 public:
  WorkerEvents(Cluster* cluster, Dispatching* dispatching, Losses* losses, Reports* reports)
      : cluster_(*cluster), dispatching_(*dispatching), losses_(*losses), reports_(*reports) {}

  void OnJoin(const Moment& turn, WorkerJoin event);
  void OnHeartbeat(const Moment& turn, WorkerHeartbeat event);
  void OnSessionOpened(const Moment& turn, const SessionOpened& event);
  void OnSessionClosed(const Moment& turn, const SessionClosed& event);
  void OnUpdate(const Moment& turn, const UpdateWorker& event);
  void OnDrain(const Moment& turn, const DrainWorker& event);
  void OnQuarantine(const Moment& turn, const QuarantineWorker& event);
  void OnResume(const Moment& turn, const ResumeWorker& event);

  // Heartbeats that are overdue.
  void Expire(const Moment& turn);
  // What the registry derived from what happened: told, logged, and acted on.
  void Settle(const Moment& turn);
  void OnSessionRetryDue(const Moment& turn, WorkerId worker);
  void OnDrainDeadline(const Moment& turn, WorkerId worker);
  void OnProofDeadline(const Moment& turn, WorkerId worker);

 private:
  void ExpectProof(const Moment& turn, WorkerId worker);
  void SetProofDeadline(WorkerId worker, absl::Time at);
  void GrantLease(const Moment& turn, WorkerId worker);
  SessionNumber FirstValidSession(WorkerId worker) const;
  absl::Duration Lease() const;
  void NoteOffer(const Moment& turn, WorkerId worker);
  void RememberExecutor(const Moment& turn, const std::string& name);
  bool MakeRoomForAnother();

  void AskForSession(const Moment& turn, WorkerId worker);
  void DropSession(const Moment& turn, WorkerId worker, const std::string& why);
  void RetrySessionLater(const Moment& turn, WorkerId worker);
  void CancelSessionRetry(WorkerId worker);
  void SendDrainOrder(const Moment& turn, WorkerId worker, bool resume);
  void SetDrainDeadline(WorkerId worker, absl::Time at);

  // Whether its failures are judged.
  void NoteService(WorkerId worker);
  void OnLost(const Moment& turn, WorkerId worker, const std::string& why);

  void SaveSetting(const Moment& turn, WorkerId worker);
  void AnswerWorker(const Moment& turn, CallId call, WorkerId worker);
  bool AnswerUnknown(const Moment& turn, CallId call, const std::string& name);

  Cluster& cluster_;
  Dispatching& dispatching_;
  Losses& losses_;
  Reports& reports_;
};

}  // namespace muster::core
