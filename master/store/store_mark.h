// The file `store.mark`: the newest durable commit's number and digest and the newest epoch, rewritten without a sync
// after each commit, in two slots of which one is always whole. A database that ends before its mark has lost
// something; one that is ahead of it has not (the mark may lag behind after a power loss). It also keeps the note that
// a sync has failed.
//
// Thread rule: the writer's thread. Errors: INTERNAL when the file cannot be made; a write that fails is let go, as
// an old mark is only a weaker check.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/store/sqlite_database.h"

namespace muster::store {

class StoreMark {
 public:
  struct Content {
    uint64_t commit = 0;
    uint64_t digest = 0;
    int64_t epoch = 0;
    bool sync_failed = false;
  };

  static absl::StatusOr<StoreMark> Open(const std::string& directory);
  ~StoreMark();
  StoreMark(StoreMark&& other) noexcept;
  StoreMark& operator=(StoreMark&&) = delete;

  // The newer of the readable slots.
  std::optional<Content> Read() const;
  void Write(const Content& content);
  // Both slots, so that nothing of what was there before is left.
  void WriteBoth(const Content& content);
  // In both slots and with a sync: what it says must outlive the process.
  void NoteFailedSync();
  absl::Status Sync();

 private:
  explicit StoreMark(int descriptor) : descriptor_(descriptor) {}
  void WriteSlot(int slot, const Content& content);
  int descriptor_;
};

// The mark of a directory that is only looked at. `unreadable` counts slots that hold something and are not whole.
std::optional<StoreMark::Content> ReadStoreMark(const std::string& directory, int* unreadable = nullptr);

// Whether the database has what the mark knows to be durable. DATA_LOSS naming the place.
absl::Status CompareWithMark(Database* database, const StoreMark::Content& mark);

}  // namespace muster::store
