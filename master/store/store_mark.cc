#include "master/store/store_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"

namespace muster::store {
namespace {

constexpr uint32_t kMagic = 0x4D4B5231;  // "1RKM"
constexpr off_t kSlotDistance = 512;     // apart, so that one torn sector cannot hit both

struct Slot {
  uint32_t magic;
  uint32_t sync_failed;
  uint64_t commit;
  uint64_t digest;
  uint32_t reserved;
  uint32_t crc;  // of all before it
};

uint32_t CrcOf(const Slot& slot) {
  return Crc32({reinterpret_cast<const char*>(&slot), offsetof(Slot, crc)});
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

std::optional<StoreMark::Content> StoreMark::Read() const {
  std::optional<Content> newest;
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    if (pread(descriptor_, &slot, sizeof slot, i * kSlotDistance) != sizeof slot) continue;
    if (slot.magic != kMagic || slot.crc != CrcOf(slot)) continue;
    if (newest.has_value() && newest->commit > slot.commit) continue;
    const bool failed = slot.sync_failed != 0 || (newest.has_value() && newest->commit == slot.commit && newest->sync_failed);
    newest = Content{slot.commit, slot.digest, failed};
  }
  return newest;
}

void StoreMark::Write(const Content& content) {
  Slot slot{kMagic, content.sync_failed ? 1u : 0u, content.commit, content.digest, 0, 0};
  slot.crc = CrcOf(slot);
  (void)!pwrite(descriptor_, &slot, sizeof slot, static_cast<off_t>(content.commit % 2) * kSlotDistance);
}

void StoreMark::NoteFailedSync() {
  Content content = Read().value_or(Content{});
  content.sync_failed = true;
  Write(content);
  (void)fdatasync(descriptor_);
}

}  // namespace muster::store
