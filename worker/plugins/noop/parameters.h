// The parameters of a noop: a flat JSON object of whole numbers.
// Thread rule: pure. Errors: false, with words that name the key.
#pragma once

#include <cstdint>
#include <string>

namespace muster::noop {

struct Parameters {
  int32_t exit_code = 0;
  int64_t sleep_ms = 0;
  int64_t output_bytes = 0;
};

bool ParseParameters(const std::string& json, Parameters* parameters, std::string* problem);

}  // namespace muster::noop
