// The embedded store: one directory with the database `muster.db` (SQLite in WAL mode), its `lock`, its `store.mark`
// and its `ballast`. docs/storage.md describes them.
//
//   auto store = OpenSqliteStore({.directory = "/var/lib/muster"});
//   auto state = (*store)->LoadOpen(absl::Now());
//
// Thread rule: LoadOpen and Commit from one thread; reads from any. It has one thread of its own, for maintenance.
// Errors of opening: FAILED_PRECONDITION when another master has the directory, or a newer one made the store;
// DATA_LOSS, naming the place, when it is damaged; INTERNAL, RESOURCE_EXHAUSTED when files cannot be made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "master/store/retention.h"
#include "master/store/store.h"

namespace muster::store {

struct StoreConfig {
  std::string directory;                            // made when it is not there
  int64_t wal_limit_bytes = int64_t{64} << 20;      // of the write-ahead file; then a commit waits, 20 ms at most
  int64_t ballast_bytes = 0;                        // kept back for a full disk (ballast.h); 0: none
  int64_t low_water_bytes = 0;                      // less free than this: new work should be refused
  int reader_count = 4;                             // reads at the same time
  uint64_t floor_lag = 16'384;                      // newest ids that maintenance leaves alone
  RetentionConfig retention;                        // no limits unless set
  std::function<absl::Time()> calendar;             // for retention; unset: the system's
  std::string version;                              // of this program, kept in the store for people
};

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(StoreConfig config);

}  // namespace muster::store
