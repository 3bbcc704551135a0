#include "worker/execution/output_stream.h"

#include <algorithm>

namespace muster::execution {

size_t OutputStream::Left(int64_t limit) const {
  const int64_t held = buffer_.total_bytes() - acknowledged_;
  return static_cast<size_t>(std::max<int64_t>(0, limit - held));
}

size_t OutputStream::Room() const {
  return lossless_ ? Left(kWindowBytes) : static_cast<size_t>(RetainedOutput::kTailBytes);
}

size_t OutputStream::Append(std::string_view bytes) {
  const size_t count = lossless_ ? std::min(bytes.size(), Left(RetainedOutput::kTailBytes)) : bytes.size();
  buffer_.Append(bytes.substr(0, count));
  return count;
}

void OutputStream::Block(absl::Time now) { blocked_since_ = std::min(blocked_since_, now); }

bool OutputStream::Unblock() {
  if (blocked_since_ == absl::InfiniteFuture() || Room() == 0) return false;
  blocked_since_ = absl::InfiniteFuture();
  return true;
}

void OutputStream::Subscribe(int64_t offset, bool lossless) {
  subscribed_ = true;
  sent_ = std::clamp<int64_t>(offset, 0, buffer_.total_bytes());
  // A stream that was lossy once has lost its promise; it cannot be made again half-way.
  if (lossless && lossless_) acknowledged_ = std::max(acknowledged_, sent_);
}

void OutputStream::Acknowledge(int64_t offset) {
  acknowledged_ = std::max(acknowledged_, std::min(offset, buffer_.total_bytes()));
}

void OutputStream::Pause(absl::Time now) {
  subscribed_ = false;
  if (blocked_since_ != absl::InfiniteFuture()) blocked_since_ = now;
}

void OutputStream::Detach() {
  subscribed_ = false;
  lossless_ = false;
}

bool OutputStream::GiveUpOnReader(absl::Time now, absl::Duration grace) {
  if (!lossless_ || subscribed_ || blocked_since_ + grace > now) return false;
  lossless_ = false;
  return true;
}

std::string OutputStream::Kept() const {
  std::string kept;
  for (int64_t next = 0; next < buffer_.total_bytes();) {
    int64_t at = 0;
    const std::string part = buffer_.Read(next, static_cast<size_t>(RetainedOutput::kTailBytes), &at);
    next = at + static_cast<int64_t>(part.size());
    kept += part;
  }
  return kept;
}

OutputStream::Chunk OutputStream::NextChunk() {
  Chunk chunk;
  chunk.bytes = buffer_.Read(sent_, kChunkBytes, &chunk.offset);
  chunk.skipped = chunk.offset - sent_;
  sent_ = chunk.offset + static_cast<int64_t>(chunk.bytes.size());
  return chunk;
}

}  // namespace muster::execution
