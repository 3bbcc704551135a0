#include "worker/execution/stream_buffer.h"

#include <algorithm>
#include <utility>

namespace muster::execution {
namespace {

constexpr auto kHead = static_cast<size_t>(RetainedOutput::kHeadBytes);
constexpr auto kTail = static_cast<size_t>(RetainedOutput::kTailBytes);

}  // namespace

void StreamBuffer::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!digest_) digest_.emplace();
  digest_->Update(bytes);
  const size_t to_head = std::min(bytes.size(), kHead - head_.size());
  head_.append(bytes.substr(0, to_head));
  AppendToRing(bytes.substr(to_head));
  total_bytes_ += static_cast<int64_t>(bytes.size());
}

void StreamBuffer::AppendToRing(std::string_view bytes) {
  const size_t grow = std::min(bytes.size(), kTail - ring_.size());
  ring_.append(bytes.substr(0, grow));
  bytes.remove_prefix(grow);
  if (bytes.size() > kTail) bytes.remove_prefix(bytes.size() - kTail);
  while (!bytes.empty()) {
    const size_t count = std::min(bytes.size(), kTail - ring_begin_);
    ring_.replace(ring_begin_, count, bytes.substr(0, count));
    ring_begin_ = (ring_begin_ + count) % kTail;
    bytes.remove_prefix(count);
  }
}

std::string StreamBuffer::Read(int64_t offset, size_t limit, int64_t* start) const {
  const auto head_size = static_cast<int64_t>(head_.size());
  offset = std::clamp<int64_t>(offset, 0, total_bytes_);
  if (offset < head_size) {
    *start = offset;
    return head_.substr(static_cast<size_t>(offset), limit);
  }
  *start = std::max(offset, ring_offset());
  const auto from = static_cast<size_t>(*start - ring_offset());
  const size_t count = std::min(limit, ring_.size() - from);
  std::string bytes;
  bytes.reserve(count);
  if (count == 0) return bytes;
  const size_t at = (ring_begin_ + from) % ring_.size();
  const size_t first = std::min(count, ring_.size() - at);
  bytes.append(ring_, at, first);
  bytes.append(ring_, 0, count - first);
  return bytes;
}

RetainedOutput StreamBuffer::Take() {
  RetainedOutput output;
  output.total_bytes = total_bytes_;
  output.tail_offset = ring_.empty() ? 0 : ring_offset();
  if (ring_begin_ != 0) std::rotate(ring_.begin(), ring_.begin() + static_cast<std::ptrdiff_t>(ring_begin_), ring_.end());
  output.head = std::move(head_);
  output.tail = std::move(ring_);
  if (digest_) {
    const Digest digest = digest_->Finish();
    output.sha256.assign(reinterpret_cast<const char*>(digest.data()), digest.size());
  }
  return output;
}

}  // namespace muster::execution
