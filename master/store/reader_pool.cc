#include "master/store/reader_pool.h"

#include <utility>

namespace muster::store {

absl::Status ReaderPool::Open(const std::string& path, int count) {
  for (int i = 0; i < count; ++i) {
    Database::Options options;
    options.query_only = true;
    MUSTER_ASSIGN_OR_RETURN(auto database, Database::Open(path, options));
    absl::MutexLock lock(&mutex_);
    free_.push_back(database.get());
    all_.push_back(std::move(database));
  }
  return absl::OkStatus();
}

Database* ReaderPool::Take() {
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(this, &ReaderPool::HasFree), kWaitLimit)) return nullptr;
  Database* database = free_.back();
  free_.pop_back();
  return database;
}

void ReaderPool::GiveBack(Database* database) {
  absl::MutexLock lock(&mutex_);
  free_.push_back(database);
}

}  // namespace muster::store
