// Whether one worker can take one task: named filters, the same for placing and for explaining.
//
// Each is a pure function: empty when the worker passes, else why it does not, in words. First failing filter tells.
// "Static" filters depend on the offer alone; the others on the moment.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"

namespace muster::balancer {

using Why = std::optional<std::string>;

// "does not offer executor http", "executor http is unhealthy: connection refused"
Why LacksExecutor(const WorkerOffer& offer, const std::string& executor);
// NAME: a label of that name, a capability, or a capability of a healthy executor. NAME=VALUE: a label.
Why LacksNeed(const WorkerOffer& offer, const Need& need);
Why LacksNeeds(const WorkerOffer& offer, const Requirements& requirements);  // the first one
// Even when it is empty: "has 4 slots, 8 are asked for"
Why NeverFits(const WorkerOffer& offer, const ResourceAmounts& want);
// "is SUSPECT: no session", "takes nothing new: low disk"
Why TakesNothing(const WorkerFacts& worker);
// "has none of its 4 slots free", "takes one attempt at a time: its last 3 attempts failed at once, ...", "has 512 MiB of memory free, 1024 MiB are asked for"
Why DoesNotFitNow(const WorkerFacts& worker, const ResourceAmounts& want);
// "just failed this task"
Why IsAvoided(const WorkerFacts& worker, WorkerId avoid);

std::string NeedText(const Need& need);  // "gpu", "zone=a"

// Executor and needs without the words: the quick form for indexes.
bool MatchesStatically(const WorkerOffer& offer, const std::string& executor, const std::vector<Need>& needs);

struct Rejection {
  std::string_view filter;  // "executor", "needs", "resources", "state", "room", "avoid"
  std::string why;
};
// All filters in the order above; empty: it would be placed there now.
std::optional<Rejection> FirstRejection(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid);

}  // namespace muster::balancer
