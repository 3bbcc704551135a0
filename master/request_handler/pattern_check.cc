#include "master/request_handler/pattern_check.h"

#include "common/base/output_pattern.h"

namespace muster::handler {

const std::string& PatternCheck::WhyWrong(const std::string& pattern) {
  static const auto& too_many =
      *new std::string("is one too many different ones for one call; send the rest of the tasks in calls of their own");
  const auto known = known_.find(pattern);
  if (known != known_.end()) return known->second;
  const size_t cost = OutputPattern::ReadingCost(pattern);
  if (cost > kMostReadingCost - cost_) return too_many;
  cost_ += cost;
  const auto compiled = OutputPattern::Compile(pattern);
  return known_.emplace(pattern, compiled.ok() ? "" : std::string(compiled.status().message())).first->second;
}

}  // namespace muster::handler
