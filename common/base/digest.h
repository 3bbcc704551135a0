// SHA-256 (whole or step by step) for contents, CRC-32 for rows, and a quick hash for what only tells kinds apart.
// Thread rule: values; one Sha256 is used by one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace muster {

using Digest = std::array<uint8_t, 32>;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(std::string_view bytes);
  Digest Finish();  // once

  static Digest Of(std::string_view bytes);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

// 64 bits, the same in every process. Whoever wants two texts with one hash can find them: never for contents.
class QuickHash {
 public:
  // Where one text ends and the next begins counts.
  void Update(std::string_view bytes);
  uint64_t value() const { return value_; }

 private:
  void Mix(uint64_t word) {
    value_ = (value_ ^ word) * 0x9E3779B97F4A7C15u;
    value_ ^= value_ >> 32;
  }
  uint64_t value_ = 0x243F6A8885A308D3u;
};

std::string DigestToHex(const Digest& digest);

// zlib's CRC-32; `seed` is the value so far.
uint32_t Crc32(std::string_view bytes, uint32_t seed = 0);

}  // namespace muster
