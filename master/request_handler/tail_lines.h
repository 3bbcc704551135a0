// The last lines of a stream that comes in pieces, for `logs --tail N`.
//
// Pure and bounded: keeps at most `kMostBytes` of the newest bytes. Thread rule: the owner's lock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::handler {

class TailLines {
 public:
  static constexpr size_t kMostBytes = 1 << 20;

  void Add(int64_t offset, std::string_view bytes);
  // The last `lines` lines of what is held; a last line without its newline counts.
  std::string_view Last(int64_t lines) const;
  // Of Last's first byte in the stream.
  int64_t OffsetOf(std::string_view last) const { return end_ - static_cast<int64_t>(last.size()); }
  int64_t end() const { return end_; }
  void Clear() { bytes_.clear(); }

 private:
  std::string bytes_;
  int64_t end_ = 0;  // offset just behind the last byte
};

}  // namespace muster::handler
