#include "master/app/patient_commit.h"

#include <utility>

#include "common/base/planted_fault.h"
#include "common/telemetry/log.h"

namespace muster::master {

absl::StatusOr<CommitNumber> PatientCommit::Commit(const core::Transaction& transaction) {
  absl::StatusOr<CommitNumber> committed = CommitOrWait(transaction);
  if (committed.ok()) {
    if (in_trouble()) NoteTrouble("");
  } else if (!absl::IsCancelled(committed.status())) {
    MUSTER_LOG(kError, "commit failed: the master exits", {{"error", committed.status().ToString()}});
    NoteTrouble(committed.status().ToString());
  }
  return committed;
}

absl::StatusOr<CommitNumber> PatientCommit::CommitOrWait(const core::Transaction& transaction) {
  const LeaseKeeper::Opening opening(ports_.keeper);
  for (;;) {
    MayDieAt("before_sync");
    const absl::Time began = ports_.clock->Now();
    absl::StatusOr<CommitNumber> committed = ports_.store->Commit(transaction);
    ports_.metrics->commit_seconds->Observe(absl::ToDoubleSeconds(ports_.clock->Now() - began));
    ports_.tried();
    if (!absl::IsResourceExhausted(committed.status())) return committed;
    if (!WaitForRoom(committed.status())) return absl::CancelledError("aborted");
  }
}

bool PatientCommit::WaitForRoom(const absl::Status& why) {
  ports_.metrics->disk_full_waits->Increment();
  if (!in_trouble()) {
    MUSTER_LOG(kError, "disk full: commits wait", {{"error", why.ToString()}});
    NoteTrouble(why.ToString());
  }
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&abort_), ports_.full_disk_retry);
}

void PatientCommit::NoteTrouble(std::string trouble) {
  const bool troubled = !trouble.empty();
  {
    absl::MutexLock lock(&mutex_);
    in_trouble_ = troubled;
    trouble_ = std::move(trouble);
  }
  if (troubled) ports_.troubled();
}

void PatientCommit::Abort() {
  absl::MutexLock lock(&mutex_);
  abort_ = true;
}

bool PatientCommit::aborted() const {
  absl::MutexLock lock(&mutex_);
  return abort_;
}

std::string PatientCommit::trouble() const {
  absl::MutexLock lock(&mutex_);
  return trouble_;
}

}  // namespace muster::master
