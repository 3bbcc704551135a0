#include "master/store/store_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "master/store/recovery.h"
#include "master/store/schema.h"

namespace muster::store {
namespace {

constexpr uint32_t kMagic = 0x4D4B5232;  // "2RKM"
constexpr off_t kSlotDistance = 512;     // apart, so that one torn sector cannot hit both
constexpr int kSlots = 2;

struct Slot {
  uint32_t magic;
  uint32_t sync_failed;
  uint64_t commit;
  uint64_t digest;
  int64_t epoch;
  uint32_t reserved;
  uint32_t crc;  // of all before it
};

uint32_t CrcOf(const Slot& slot) {
  return Crc32({reinterpret_cast<const char*>(&slot), offsetof(Slot, crc)});
}

std::optional<StoreMark::Content> ReadSlots(int descriptor, int* unreadable) {
  std::optional<StoreMark::Content> newest;
  for (int i = 0; i < kSlots; ++i) {
    Slot slot{};
    const ssize_t size = pread(descriptor, &slot, sizeof slot, i * kSlotDistance);
    if (size != sizeof slot || slot.magic != kMagic || slot.crc != CrcOf(slot)) {
      const auto* const bytes = reinterpret_cast<const char*>(&slot);
      const bool is_empty = std::all_of(bytes, bytes + sizeof slot, [](char byte) { return byte == 0; });
      if (unreadable != nullptr && !is_empty) ++*unreadable;
      continue;
    }
    if (newest.has_value() && newest->commit > slot.commit) continue;
    const bool same = newest.has_value() && newest->commit == slot.commit;
    newest = StoreMark::Content{slot.commit, slot.digest, same ? std::max(newest->epoch, slot.epoch) : slot.epoch,
                                slot.sync_failed != 0 || (same && newest->sync_failed)};
  }
  return newest;
}

}  // namespace

absl::StatusOr<StoreMark> StoreMark::Open(const std::string& directory) {
  const std::string path = directory + "/store.mark";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return absl::InternalError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  return StoreMark(descriptor);
}

StoreMark::~StoreMark() {
  if (descriptor_ >= 0) close(descriptor_);
}

StoreMark::StoreMark(StoreMark&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }

std::optional<StoreMark::Content> StoreMark::Read() const { return ReadSlots(descriptor_, nullptr); }

void StoreMark::WriteSlot(int index, const Content& content) {
  Slot slot{kMagic, content.sync_failed ? 1u : 0u, content.commit, content.digest, content.epoch, 0, 0};
  slot.crc = CrcOf(slot);
  (void)!pwrite(descriptor_, &slot, sizeof slot, index * kSlotDistance);
}

void StoreMark::Write(const Content& content) { WriteSlot(static_cast<int>(content.commit % kSlots), content); }

void StoreMark::WriteBoth(const Content& content) {
  for (int i = 0; i < kSlots; ++i) WriteSlot(i, content);
}

void StoreMark::NoteFailedSync() {
  Content content = Read().value_or(Content{});
  content.sync_failed = true;
  WriteBoth(content);
  (void)fdatasync(descriptor_);
}

absl::Status StoreMark::Sync() {
  if (fsync(descriptor_) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("cannot sync store.mark: ", std::strerror(errno)));
}

std::optional<StoreMark::Content> ReadStoreMark(const std::string& directory, int* unreadable) {
  const int descriptor = open((directory + "/store.mark").c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const std::optional<StoreMark::Content> mark = ReadSlots(descriptor, unreadable);
  close(descriptor);
  return mark;
}

absl::Status CompareWithMark(Database* database, const StoreMark::Content& mark) {
  MUSTER_ASSIGN_OR_RETURN(const CommitPosition position, ReadPosition(database));
  MUSTER_ASSIGN_OR_RETURN(const int64_t epoch, ReadMetaNumber(database, kMetaEpoch));
  const auto last = static_cast<uint64_t>(position.number.value());
  const std::string damaged = absl::StrCat("store ", database->path(), " is damaged: ");
  const char* const way_out = "; an older copy comes back with `muster-master restore`";
  if (mark.commit > last) {
    return absl::DataLossError(
        absl::StrCat(damaged, "it ends at commit ", last, ", but commit ", mark.commit, " was durable", way_out));
  }
  if (mark.epoch > epoch) {
    return absl::DataLossError(absl::StrCat(damaged, "table meta, row epoch: it is ", epoch, ", but epoch ", mark.epoch,
                                            " was durable", way_out));
  }
  if (mark.commit == 0) return absl::OkStatus();
  Query row(database, "SELECT * FROM activity WHERE commit_number = ?", "activity");
  row.Bind(1, static_cast<int64_t>(mark.commit));
  const bool agrees = row.Next() && DigestAfter(row) == mark.digest;
  MUSTER_RETURN_IF_ERROR(row.status());
  if (agrees) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(damaged, "table activity, row ", mark.commit,
                                          ": it is not the commit that store.mark knows", way_out));
}

}  // namespace muster::store
