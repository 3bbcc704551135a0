// Which workers are at fault: finds the ones that fail what works elsewhere, and says when one may be tried again.
//
//   health.SetInService(worker, true);                    // it may be given work
//   health.Observe({worker, fingerprint, AttemptResult::kFailed, run_time}, now);
//   health.Expire(now);                                   // by NextDue() at the latest
//   for (WorkerId worker : health.TakeChanged()) table.SetStanding(worker, health.standing(worker));
//
// A failure counts when it is the worker's (failure_evidence.h). Judged are a worker's last 10 attempts:
//   ONE AT A TIME  its last 3 failed within `instant`, and none of them is the command's fault. After a pause (50 ms,
//                  doubling to 1 s) it may try one attempt, until one succeeds or the command turns out at fault.
//   QUARANTINED    10 attempts, at least half of them count, and that is at least three times the share that counts
//                  among the last attempts of the others that are not in quarantine. After first_probe it may try one;
//                  each failure that counts doubles the time, up to longest_probe; a success, or evidence against the
//                  command, ends it.
// Never more than a third of the workers in service are quarantined: further ones are only counted, and where workers
// leave, the one that would be tried next is let out. So fewer than three workers are never judged.
//
// Bounded: 10 attempts a worker, and the evidence. Pure: `now` comes from the caller. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "master/registry/failure_evidence.h"
#include "master/registry/standing.h"

namespace muster::registry {

struct HealthConfig {
  bool enabled = true;
  absl::Duration instant = absl::Milliseconds(200);  // a failure within this is one at once
  absl::Duration first_probe = absl::Seconds(30);
  absl::Duration longest_probe = absl::Minutes(10);
};

// One attempt's end, by itself: not those that were stopped, refused or lost.
struct ObservedAttempt {
  WorkerId worker;
  uint64_t fingerprint = 0;
  AttemptResult result = AttemptResult::kSucceeded;
  absl::Duration run_time;
};

// Since the start.
struct HealthCounts {
  uint64_t limited = 0;      // fell to one at a time
  uint64_t quarantined = 0;
  uint64_t withheld = 0;     // would have been quarantined, but a third of the fleet was already
  uint64_t probes = 0;       // that quarantined workers were allowed
};

class WorkerHealth {
 public:
  static constexpr size_t kWindow = 10;

  explicit WorkerHealth(HealthConfig config);
  ~WorkerHealth();

  // Whether it may be given work as far as people and leases go. One that is not has a clean sheet when it is back.
  void SetInService(WorkerId worker, bool in_service);
  // A clean sheet, also for one in quarantine: a person says that it is well.
  void Clear(WorkerId worker);
  // Another process runs under its name.
  void Restarted(WorkerId worker);

  void NoteStarted(WorkerId worker, uint64_t fingerprint, absl::Time now) {
    evidence_.NoteStarted(fingerprint, worker, now);
  }
  void NoteStopped(WorkerId worker, uint64_t fingerprint) { evidence_.NoteStopped(fingerprint, worker); }
  void Observe(const ObservedAttempt& attempt, absl::Time now);

  absl::Time NextDue() const { return dues_.empty() ? absl::InfiniteFuture() : dues_.begin()->first; }
  void Expire(absl::Time now);

  // Whose standing is another than when last taken, by id.
  std::vector<WorkerId> TakeChanged();
  Standing standing(WorkerId worker) const;

  const HealthCounts& counts() const { return counts_; }
  size_t in_service() const { return in_service_; }
  size_t quarantined() const { return quarantined_; }
  void CheckInvariants() const;

 private:
  struct Sample;
  struct Record;  // of a worker in service

  void CountIn(const Record& record);
  void CountOut(const Record& record);
  void Push(Record* record, const Sample& sample);
  void Judge(WorkerId worker, Record* record, bool succeeded, Blame blame, absl::Time now);
  void JudgeQuarantined(WorkerId worker, Record* record, bool succeeded, Blame blame, absl::Time now);
  void FailedTry(WorkerId worker, Record* record, absl::Duration longest, bool longer, absl::Time now);
  void Lower(WorkerId worker, Record* record, Standing::Level level, absl::Duration pause, absl::Time now);
  void MakeSound(WorkerId worker, Record* record);
  void Rest(WorkerId worker, Record* record, absl::Time until);
  void EmptyWindow(Record* record);
  void KeepToTheShare();

  bool FailsAtOnce(WorkerId worker, const Record& record, absl::Time now) const;
  size_t CountedFailures(WorkerId worker, const Record& record, absl::Time now) const;
  bool IsOutlier(WorkerId worker, const Record& record, absl::Time now) const;
  Blame BlameFor(WorkerId worker, const Sample& sample, absl::Time now) const;

  const HealthConfig config_;
  FailureEvidence evidence_;
  Record* Find(WorkerId worker) const {  // null: not in service
    return worker.value() < records_.size() ? records_[worker.value()].get() : nullptr;
  }

  std::vector<std::unique_ptr<Record>> records_;  // by id
  size_t in_service_ = 0;                         // of them
  absl::btree_set<std::pair<absl::Time, WorkerId>> dues_;
  absl::btree_set<WorkerId> changed_;
  uint64_t attempts_ = 0;  // in the windows of those that are not in quarantine
  uint64_t counted_ = 0;   // of them
  size_t quarantined_ = 0;
  HealthCounts counts_;
};

}  // namespace muster::registry
