// An explanation as a page for a person.
// Thread rule: pure functions; `now` is for what is relative.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "muster/v1/explanation.pb.h"

namespace muster::cli {

std::string ReasonName(v1::ReasonCode code);  // "WAITS_FOR_SLOT"
std::string ExplanationPage(const v1::Explanation& explanation, absl::Time now);

}  // namespace muster::cli
