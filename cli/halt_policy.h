// When map gives up: GNU parallel's --halt.
//
//   never | soon,fail=3 | now,fail=1 | now,success=1 | soon,done=50%
//
// soon: nothing new is started, what runs may end; now: everything is cancelled. A percentage is of all tasks, once
// their number is known. Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace muster::cli {

enum class Halt { kNot, kSoon, kNow };

class HaltPolicy {
 public:
  static absl::StatusOr<HaltPolicy> Parse(const std::string& text);

  Halt Decide(int64_t failed, int64_t succeeded, std::optional<int64_t> total) const;
  // "now,fail=1", for messages.
  const std::string& text() const { return text_; }
  bool on_success() const { return what_ == What::kSuccess; }

 private:
  enum class What { kFail, kSuccess, kDone };
  std::string text_ = "never";
  Halt when_ = Halt::kNot;
  What what_ = What::kFail;
  int64_t count_ = 0;
  bool percent_ = false;
};

}  // namespace muster::cli
