#include "master/store/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::store {
namespace {

constexpr int kMode = 0600;
constexpr int64_t kMiB = int64_t{1} << 20;

// Blocks and not only a length: a file with holes keeps nothing back.
bool HoldsItsBlocks(const std::string& path, int64_t bytes) {
  struct stat file;
  return stat(path.c_str(), &file) == 0 && file.st_size == bytes && int64_t{file.st_blocks} * 512 >= bytes;
}

}  // namespace

Ballast::Ballast(Config config) : config_(std::move(config)), path_(config_.directory + "/ballast") {
  held_ = config_.bytes > 0 && HoldsItsBlocks(path_, config_.bytes);
  low_ = !held_ && config_.bytes > 0;  // until the look below has made it
  Look();
}

void Ballast::Look() {
  absl::MutexLock lock(&mutex_);
  free_bytes_ = config_.free_bytes ? config_.free_bytes() : AskFileSystem();
  if (low_) {
    if (free_bytes_ >= RoomToHeal() && (held_ || Make())) low_ = false;
  } else if (free_bytes_ < config_.low_water_bytes) {
    low_ = true;
    Release();
  }
}

bool Ballast::LetGo() {
  absl::MutexLock lock(&mutex_);
  low_ = true;
  return Release();
}

std::string Ballast::Shortage() const {
  if (!low()) return "";
  absl::MutexLock lock(&mutex_);
  return absl::StrCat(free_bytes_.load() / kMiB, " MiB are free in ", config_.directory,
                      "; new tasks are taken again from ", RoomToHeal() / kMiB + 1, " MiB on");
}

// A quarter of the mark more than where it began, so that it does not flap.
int64_t Ballast::RoomToHeal() const {
  return config_.low_water_bytes + config_.low_water_bytes / 4 + (held_ ? 0 : config_.bytes);
}

bool Ballast::Make() {
  if (config_.bytes == 0) return true;
  const int file = open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, kMode);
  if (file < 0) return false;
  const bool made = ftruncate(file, config_.bytes) == 0 && posix_fallocate(file, 0, config_.bytes) == 0;
  const bool emptied = made || ftruncate(file, 0) == 0;  // what cannot be let go of is found full again
  (void)emptied;
  close(file);
  held_ = made;
  return made;
}

bool Ballast::Release() {
  if (!held_) return false;
  held_ = false;
  return truncate(path_.c_str(), 0) == 0;
}

int64_t Ballast::AskFileSystem() const {
  struct statvfs system;
  if (statvfs(config_.directory.c_str(), &system) != 0) return std::numeric_limits<int64_t>::max();  // not known
  return static_cast<int64_t>(system.f_bavail) * static_cast<int64_t>(system.f_frsize);
}

}  // namespace muster::store
