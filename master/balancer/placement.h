// What came of looking for a worker.
// Thread rule: values.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "common/domain/ids.h"

namespace muster::balancer {

struct Placed {
  WorkerId worker;
};
// Some worker could take it, but none now: full, suspect, draining, or the one that just failed it.
struct NoCapacityNow {};
// No worker that is there could ever take it.
struct Infeasible {
  std::vector<std::string> reasons;  // "no worker has label gpu"; never empty
};
using Placement = std::variant<Placed, NoCapacityNow, Infeasible>;

}  // namespace muster::balancer
