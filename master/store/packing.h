// The packed form of what SQL need not see: varints, zigzag for signed numbers, length-prefixed bytes.
//
// One function names the fields of a thing in order and serves both ways:
//   template <typename Archive> void Fields(Archive& archive, Thing& thing) { archive(thing.a); archive(thing.b); }
// New fields go to the end: what ends early leaves them as they were, what is longer is read as far as it is known.
// Thread rule: values. Errors: an Unpacker that ran out in the middle of a field is not ok().
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/time/time.h"
#include "common/base/strong_id.h"
#include "common/domain/ids.h"

namespace muster::store {

inline int64_t IdNumber(TaskId id) { return static_cast<int64_t>(id.value()); }

inline int64_t TimeToNumber(absl::Time time) {
  if (time == absl::InfinitePast()) return std::numeric_limits<int64_t>::min();
  if (time == absl::InfiniteFuture()) return std::numeric_limits<int64_t>::max();
  return absl::ToUnixNanos(time);
}
inline absl::Time NumberToTime(int64_t number) {
  if (number == std::numeric_limits<int64_t>::min()) return absl::InfinitePast();
  if (number == std::numeric_limits<int64_t>::max()) return absl::InfiniteFuture();
  return absl::FromUnixNanos(number);
}

class Packer {
 public:
  explicit Packer(std::string* out) : out_(out) {}

  void Unsigned(uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    out_->append(bytes, size);
  }
  void Signed(int64_t value) {
    Unsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void Bytes(std::string_view bytes) {
    Unsigned(bytes.size());
    out_->append(bytes);
  }

  void operator()(const std::string& value) { Bytes(value); }
  void operator()(absl::Time value) { Signed(TimeToNumber(value)); }
  void operator()(absl::Duration value) { Signed(absl::ToInt64Nanoseconds(value)); }
  void operator()(const AttemptKey& value) {
    (*this)(value.task);
    (*this)(value.number);
  }
  void operator()(const TaskRange& value) {
    (*this)(value.first);
    Unsigned(value.count);
  }
  template <typename Tag, typename Rep>
  void operator()(StrongId<Tag, Rep> value) {
    (*this)(value.value());
  }
  template <typename T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) void operator()(T value) {
    if constexpr (std::is_signed_v<T>) {
      Signed(value);
    } else {
      Unsigned(static_cast<uint64_t>(value));
    }
  }

 private:
  std::string* const out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty() || !ok_; }

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return Fail();
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  int64_t Signed() {
    const uint64_t value = Unsigned();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view Bytes() {
    const uint64_t size = Unsigned();
    if (size > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  void operator()(std::string& value) {
    if (!done()) value = std::string(Bytes());
  }
  void operator()(absl::Time& value) {
    if (!done()) value = NumberToTime(Signed());
  }
  void operator()(absl::Duration& value) {
    if (!done()) value = absl::Nanoseconds(Signed());
  }
  void operator()(AttemptKey& value) {
    (*this)(value.task);
    (*this)(value.number);
  }
  void operator()(TaskRange& value) {
    (*this)(value.first);
    (*this)(value.count);
  }
  template <typename Tag, typename Rep>
  void operator()(StrongId<Tag, Rep>& value) {
    Rep number = value.value();
    (*this)(number);
    value = StrongId<Tag, Rep>(number);
  }
  template <typename T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) void operator()(T& value) {
    if (done()) return;
    if constexpr (std::is_signed_v<T>) {
      value = static_cast<T>(Signed());
    } else {
      value = static_cast<T>(Unsigned());
    }
  }

 private:
  uint64_t Fail() {
    ok_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace muster::store
