// What every fuzz target uses: the claims that it makes, and a reader that shapes values from an input's bytes.
//
// A target is one file, NAME_fuzz.cc, with `LLVMFuzzerTestOneInput`: it gives the product bytes from outside and claims
// what must hold whatever they are. With clang it is linked with libFuzzer; in every other build replay_main.cc runs
// the corpus through it.
// Thread rule: one thread. Errors: a claim that does not hold prints itself and aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace muster::fuzz {

[[noreturn]] inline void Broken(const char* claim, const std::string& saw, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: claim does not hold: %s\n%s\n", file, line, claim, saw.c_str());
  std::abort();
}

// MUSTER_CLAIM(what must hold, text that helps to see why it does not)
#define MUSTER_CLAIM(claim, saw)                                                              \
  do {                                                                                        \
    if (!(claim)) ::muster::fuzz::Broken(#claim, std::string(saw), __FILE__, __LINE__);        \
  } while (false)

// What every message for a person must be.
inline bool IsOneLine(const std::string& text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') return false;
  }
  return !text.empty();
}

// Takes an input apart; what is asked for beyond its end is zero or empty.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }

  template <typename T>
  requires std::is_integral_v<T> T Number() {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T) && !rest_.empty(); ++i) value = value << 8 | Byte();
    return static_cast<T>(value);
  }
  bool Flag() { return (Number<uint8_t>() & 1) != 0; }
  // From 0 to `most`.
  uint32_t UpTo(uint32_t most) { return Number<uint32_t>() % (most + 1); }
  // Up to the next line "%%", which readable inputs use between their parts.
  std::string_view Part() {
    constexpr std::string_view kEnd = "\n%%\n";
    const size_t end = rest_.find(kEnd);
    const std::string_view part = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + kEnd.size());
    return part;
  }
  // Its length first.
  std::string_view Bytes() {
    const size_t size = Number<uint8_t>();
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(bytes.size());
    return bytes;
  }
  std::string_view Rest() { return std::exchange(rest_, {}); }

 private:
  uint8_t Byte() {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  std::string_view rest_;
};

}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
