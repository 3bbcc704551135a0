// The output patterns of one call: each is read once, and all of them together cost a bounded time, so that no call keeps
// the thread that also answers heartbeats.
//
// Thread rule: one thread; one per call. Source of the bounds: common/base/output_pattern.h.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"

namespace muster::handler {

class PatternCheck {
 public:
  static constexpr size_t kMostReadingCost = 256 * 1024;  // of a call; a second at worst

  // What is wrong with it, in words; empty: nothing.
  const std::string& WhyWrong(const std::string& pattern);

 private:
  absl::flat_hash_map<std::string, std::string> known_;
  size_t cost_ = 0;
};

}  // namespace muster::handler
