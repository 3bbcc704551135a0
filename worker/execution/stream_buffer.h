// One stream of one attempt as it is kept: the first 64 KiB, the last 1 MiB, the length and the digest of it all.
//
//   buffer.Append("hello");  buffer.Read(2, 100, &start) == "llo", start == 2
//
// The tail is a ring that grows as it is needed; what lies between head and ring is gone, and Read skips it.
// Thread rule: one thread at a time. Units: bytes, offsets of the stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/digest.h"
#include "common/domain/attempt.h"

namespace muster::execution {

class StreamBuffer {
 public:
  void Append(std::string_view bytes);
  int64_t total_bytes() const { return total_bytes_; }
  // At most `limit` bytes from `offset`, or from the next byte after it that is still held: *start says which.
  std::string Read(int64_t offset, size_t limit, int64_t* start) const;
  RetainedOutput Take();  // once, last

 private:
  int64_t ring_offset() const { return total_bytes_ - static_cast<int64_t>(ring_.size()); }
  void AppendToRing(std::string_view bytes);

  std::string head_;
  std::string ring_;       // from kTailBytes on it wraps
  size_t ring_begin_ = 0;  // where its oldest byte is
  int64_t total_bytes_ = 0;
  std::optional<Sha256> digest_;
};

}  // namespace muster::execution
