// SHA-256 (whole or step by step) for contents, and CRC-32 for rows.
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

std::string DigestToHex(const Digest& digest);

// zlib's CRC-32; `seed` is the value so far.
uint32_t Crc32(std::string_view bytes, uint32_t seed = 0);

}  // namespace muster
