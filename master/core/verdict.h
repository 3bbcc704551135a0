// One cause for where an open task is, and the words that such causes are made of. explain.h makes an explanation of it.
// Thread rule: values, and pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "master/core/explanation.h"

namespace muster::core {

struct Verdict {
  ReasonCode code;
  std::string sentence;
  absl::Time until = absl::InfiniteFuture();
  std::string worker;
};

// "1 slot", "4 slots"
inline std::string CountWords(uint64_t count, const char* one, const char* many) {
  return absl::StrCat(count, " ", count == 1 ? one : many);
}

inline std::string Sentence(std::string text) {
  if (!text.empty()) text[0] = absl::ascii_toupper(static_cast<unsigned char>(text[0]));
  return absl::StrCat(text, ".");
}

}  // namespace muster::core
