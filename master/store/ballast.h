// Room that is kept back for a full disk: the file `ballast`, which holds nothing. When less than the low-water mark
// is free it is let go, so that results and cancels still find room, and new work is refused (Shortage). When there is
// room again for it and for the mark, it is made anew and new work is taken.
//
// Thread rule: any thread. Errors: none; what cannot be made is tried again with the next look.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace muster::store {

class Ballast {
 public:
  struct Config {
    std::string directory;
    int64_t bytes = int64_t{64} << 20;            // 0: no ballast
    int64_t low_water_bytes = int64_t{64} << 20;  // free below this: new work is refused; 0: only when a write failed
    std::function<int64_t()> free_bytes;          // of the file system; unset: ask it
  };

  explicit Ballast(Config config);  // and a first look
  Ballast(const Ballast&) = delete;
  Ballast& operator=(const Ballast&) = delete;

  // One look at the file system, and what follows from it. Cheap: every second, and more often while much is written.
  void Look() ABSL_LOCKS_EXCLUDED(mutex_);
  // A write found no room. True: the ballast was let go just now, so it is worth another try.
  bool LetGo() ABSL_LOCKS_EXCLUDED(mutex_);

  bool low() const { return low_.load(std::memory_order_relaxed); }
  std::string Shortage() const ABSL_LOCKS_EXCLUDED(mutex_);  // in words; empty: there is room
  int64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }  // at the last look
  bool held() const { return held_.load(std::memory_order_relaxed); }

 private:
  int64_t RoomToHeal() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Make() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int64_t AskFileSystem() const;

  const Config config_;
  const std::string path_;
  mutable absl::Mutex mutex_;
  std::atomic<int64_t> free_bytes_{0};
  std::atomic<bool> low_{false};
  std::atomic<bool> held_{false};
};

}  // namespace muster::store
