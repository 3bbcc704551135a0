// The file `store.mark`: the newest durable commit's number and digest, rewritten without a sync after each commit, in
// two slots of which one is always whole. A database that ends before its mark has lost something; one that is ahead
// of it has not (the mark may lag behind after a power loss). It also keeps the note that a sync has failed.
//
// Thread rule: the writer's thread. Errors: INTERNAL when the file cannot be made; a write that fails is let go, as
// an old mark is only a weaker check.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace muster::store {

class StoreMark {
 public:
  struct Content {
    uint64_t commit = 0;
    uint64_t digest = 0;
    bool sync_failed = false;
  };

  static absl::StatusOr<StoreMark> Open(const std::string& directory);
  ~StoreMark();
  StoreMark(StoreMark&& other) noexcept;
  StoreMark& operator=(StoreMark&&) = delete;

  // The newer of the readable slots.
  std::optional<Content> Read() const;
  void Write(const Content& content);
  // With a sync: what it says must outlive the process.
  void NoteFailedSync();

 private:
  explicit StoreMark(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace muster::store
