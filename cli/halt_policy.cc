#include "cli/halt_policy.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/errors.h"

namespace muster::cli {

absl::StatusOr<HaltPolicy> HaltPolicy::Parse(const std::string& text) {
  HaltPolicy policy;
  if (text.empty() || text == "never") return policy;
  policy.text_ = text;
  absl::string_view rest = text;
  const auto bad = [&] {
    return UsageError(absl::StrCat("--halt: '", text, "' is not never, or now|soon,fail|success|done=N|N%"));
  };
  if (absl::ConsumePrefix(&rest, "now,")) {
    policy.when_ = Halt::kNow;
  } else if (absl::ConsumePrefix(&rest, "soon,")) {
    policy.when_ = Halt::kSoon;
  } else {
    return bad();
  }
  if (absl::ConsumePrefix(&rest, "fail=")) {
    policy.what_ = What::kFail;
  } else if (absl::ConsumePrefix(&rest, "success=")) {
    policy.what_ = What::kSuccess;
  } else if (absl::ConsumePrefix(&rest, "done=")) {
    policy.what_ = What::kDone;
  } else {
    return bad();
  }
  policy.percent_ = absl::ConsumeSuffix(&rest, "%");
  if (!absl::SimpleAtoi(rest, &policy.count_) || policy.count_ < 1 || (policy.percent_ && policy.count_ > 100)) return bad();
  return policy;
}

Halt HaltPolicy::Decide(int64_t failed, int64_t succeeded, std::optional<int64_t> total) const {
  if (when_ == Halt::kNot) return Halt::kNot;
  const int64_t have = what_ == What::kFail ? failed : what_ == What::kSuccess ? succeeded : failed + succeeded;
  if (have == 0) return Halt::kNot;
  if (!percent_) return have >= count_ ? when_ : Halt::kNot;
  if (!total) return Halt::kNot;
  return static_cast<double>(have) * 100 >= static_cast<double>(count_) * static_cast<double>(*total) ? when_ : Halt::kNot;
}

}  // namespace muster::cli
