// CRC-32 of a row: of its values in column order, each with its kind. Text and blobs count alike.
// Thread rule: a value.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "common/base/digest.h"

namespace muster::store {

class RowChecksum {
 public:
  void AddNull() { Put("n", 1); }

  void AddInt(int64_t value) {
    char bytes[9] = {'i'};
    std::memcpy(bytes + 1, &value, sizeof value);
    Put(bytes, sizeof bytes);
  }

  void AddBytes(std::string_view value) {
    char bytes[9] = {'b'};
    const uint64_t size = value.size();
    std::memcpy(bytes + 1, &size, sizeof size);
    Put(bytes, sizeof bytes);
    Put(value.data(), value.size());
  }

  uint32_t value() {
    Flush();
    return crc_;
  }

 private:
  void Put(const char* bytes, size_t size) {
    if (used_ + size > buffer_.size()) {
      Flush();
      if (size > buffer_.size()) {
        crc_ = Crc32({bytes, size}, crc_);
        return;
      }
    }
    if (size != 0) std::memcpy(buffer_.data() + used_, bytes, size);
    used_ += size;
  }
  void Flush() {
    if (used_ != 0) crc_ = Crc32({buffer_.data(), used_}, crc_);
    used_ = 0;
  }

  uint32_t crc_ = 0;
  size_t used_ = 0;
  std::array<char, 512> buffer_;
};

}  // namespace muster::store
