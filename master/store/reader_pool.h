// The connections that readers use, each lent to one thread for one read, inside one transaction: what a read sees
// belongs to one commit.
//
// Thread rule: Read from any thread; it waits for a free connection. A read that lasts longer than kReadLimit is
// broken off, so that it cannot keep the write-ahead file from being reused.
// Errors: UNAVAILABLE when no connection comes free; DEADLINE_EXCEEDED past the limit; else as Database.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

class ReaderPool {
 public:
  static constexpr absl::Duration kReadLimit = absl::Seconds(1);
  static constexpr absl::Duration kWaitLimit = absl::Seconds(5);

  absl::Status Open(const std::string& path, int count);

  // `body` takes Database* and returns a Status or StatusOr.
  template <typename Body>
  auto Read(Body body) -> decltype(body(nullptr)) {
    const Lease lease(this);
    if (lease.database == nullptr) return absl::UnavailableError("every store reader is busy");
    lease.database->SetDeadline(absl::Now() + kReadLimit);
    MUSTER_ASSIGN_OR_RETURN(auto snapshot, SqlTransaction::Begin(lease.database, SqlTransaction::Kind::kRead));
    return body(lease.database);
  }

 private:
  struct Lease {
    explicit Lease(ReaderPool* from) : pool(from), database(from->Take()) {}
    ~Lease() {
      if (database != nullptr) pool->GiveBack(database);
    }
    ReaderPool* const pool;
    Database* const database;
  };

  Database* Take() ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasFree() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !free_.empty(); }

  std::vector<std::unique_ptr<Database>> all_;  // set by Open, before any reader
  absl::Mutex mutex_;
  std::vector<Database*> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::store
