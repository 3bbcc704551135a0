// Reads the whole store again and again, a few hundred rows at a time, so that a row that went bad on the disk is found
// before somebody needs it: each row's checksum and contents, and what the activity log says of rows that must be there.
//
// Thread rule: Step on the thread that owns the connection; the rest from any. Errors: as Database; damage is no error of
// Step but a finding. It stays until a whole round has found none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "master/store/row_reader.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

class Scrub {
 public:
  struct Figures {
    uint64_t rows = 0;          // looked at since the start
    uint64_t rounds = 0;        // over the whole store
    uint64_t damaged_rows = 0;  // known now
  };

  absl::Duration Rest() const ABSL_LOCKS_EXCLUDED(mutex_);  // until the next step is due
  absl::Status Step(Database* database) ABSL_LOCKS_EXCLUDED(mutex_);

  // The first finding in words: "table outcome, row 7: its checksum does not match". Empty: none.
  std::string Damage() const ABSL_LOCKS_EXCLUDED(mutex_);
  Figures figures() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Status ReadSome(Database* database, int* seen, bool* more);
  absl::Status Look(Database* database, const Query& row);
  absl::Status LookAtActivity(Database* database, const Query& row);
  void Note(std::string finding) ABSL_LOCKS_EXCLUDED(mutex_);
  void MoveOn(int seen, bool more) ABSL_LOCKS_EXCLUDED(mutex_);

  // The thread's own.
  size_t table_ = 0;
  int64_t cursor_ = 0;  // the last key that was looked at; of tables without a number, how many rows
  SpecificationReader specifications_;

  mutable absl::Mutex mutex_;
  std::vector<std::string> found_ ABSL_GUARDED_BY(mutex_);   // in this round
  std::vector<std::string> damage_ ABSL_GUARDED_BY(mutex_);  // in the last whole round, and in this
  absl::Time next_step_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  Figures figures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace muster::store
