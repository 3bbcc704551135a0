// The file of a policy (policy.h), read strictly: what is not understood is refused, for a rule that is passed over allows
// or denies what nobody meant.
// Thread rule: a function. Errors: INVALID_ARGUMENT, "NAME:LINE: what, and what to write".
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/policy/policy.h"

namespace muster::policy {

absl::StatusOr<std::vector<Rule>> ReadRules(const std::string& text, const std::string& name);

}  // namespace muster::policy
