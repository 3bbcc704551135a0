#include "common/runtime/fresh_id.h"

#include <sys/random.h>

#include <cstdint>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"

namespace muster::runtime {

std::string FreshId() {
  uint8_t random[10] = {};
  [[maybe_unused]] const ssize_t got = getrandom(random, sizeof(random), 0);
  std::string id = absl::StrFormat("%012x", absl::ToUnixMillis(absl::Now()));
  for (const uint8_t byte : random) id += absl::StrFormat("%02x", byte);
  return id;
}

}  // namespace muster::runtime
