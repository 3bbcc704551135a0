// One stream of a running attempt: what is kept of it, who reads it, and how much may still come.
//
// Lossless: from byte 0 on, up to kWindowBytes that are not acknowledged; then there is no room, until the reader's
// acknowledgement. The window is smaller than the retained tail by what a pipe holds: the last bytes of a command that
// has ended are taken without waiting, and what is not acknowledged at the end is always in the report. Without a lossless reader there is always room, and a slow subscriber is told what it missed.
// Thread rule: guarded by its attempt's mutex. Pure: time is passed in. Units: bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "worker/execution/stream_buffer.h"

namespace muster::execution {

class OutputStream {
 public:
  static constexpr int64_t kWindowBytes = RetainedOutput::kTailBytes - RetainedOutput::kHeadBytes;
  static constexpr size_t kChunkBytes = 64 * 1024;

  struct Chunk {
    int64_t offset = 0;
    int64_t skipped = 0;
    std::string bytes;
  };

  void SetLossless(bool lossless) { lossless_ = lossless; }
  bool lossless() const { return lossless_; }
  bool subscribed() const { return subscribed_; }
  int64_t total_bytes() const { return buffer_.total_bytes(); }

  // What a writer should write now. Append takes what fits into the retained tail, which is more.
  size_t Room() const;
  size_t Append(std::string_view bytes);

  // The writer was refused room at `now`, unless it was so already. Unblock says whether to tell it that there is
  // room again.
  void Block(absl::Time now);
  bool Unblock();
  absl::Time blocked_since() const { return blocked_since_; }  // InfiniteFuture: it is not

  void Subscribe(int64_t offset, bool lossless);
  void Acknowledge(int64_t offset);
  void Pause(absl::Time now);
  void Detach();
  // Blocked, with nobody there, since before `deadline - grace`: from now on it loses.
  bool GiveUpOnReader(absl::Time now, absl::Duration grace);

  int64_t PendingBytes() const { return subscribed_ ? buffer_.total_bytes() - sent_ : 0; }
  Chunk NextChunk();

  // What Take would give, head and tail after one another.
  std::string Kept() const;
  RetainedOutput Take() { return buffer_.Take(); }

 private:
  size_t Left(int64_t limit) const;  // of `limit` bytes that are not acknowledged

  StreamBuffer buffer_;
  bool lossless_ = false;
  bool subscribed_ = false;
  int64_t acknowledged_ = 0;
  int64_t sent_ = 0;
  absl::Time blocked_since_ = absl::InfiniteFuture();
};

}  // namespace muster::execution
