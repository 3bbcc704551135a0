// The core's chance: a small seeded generator, so that the same seed gives the same run on every machine (the
// standard library's distributions do not promise that).
//
// Source: Sebastiano Vigna's splitmix64 (public domain), restated.
// Thread rule: one thread.
#pragma once

#include <cstdint>

namespace muster::core {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // In [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace muster::core
