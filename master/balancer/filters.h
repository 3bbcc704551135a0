// Whether one worker can take one task: named filters, the same for placing and for explaining.
//
// Each is a pure function: empty when the worker passes, else why it does not, in words. First failing filter tells.
// "Static" filters depend on the offer alone; the others on the moment.
#pragma once

#include <cstdint>
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
// What makes a worker have a need makes it unfit here: "has label spot, which the task avoids".
Why HasExcluded(const WorkerOffer& offer, const Need& excluded);
// Even when it is empty: "has 4 slots, 8 are asked for"
Why NeverFits(const WorkerOffer& offer, const ResourceAmounts& want);
// "is SUSPECT: no session", "takes nothing new: low disk", "is emptied for task 3F"
Why TakesNothing(const WorkerFacts& worker);
// "has none of its 4 slots free", "takes one attempt at a time until one succeeds: ...", "has 512 MiB of
// memory free, 1 GiB are asked for"
Why DoesNotFitNow(const WorkerFacts& worker, const ResourceAmounts& want);
// "just failed this task"
Why IsAvoided(const WorkerFacts& worker, WorkerId avoid);

// The task is validated, which older workers do not know: no need that a person asked for, or could do without.
bool IsForValidation(const Need& need);
// It is a tier of isolation, "isolation.strict".
bool IsForIsolation(const Need& need);
std::string NeedText(const Need& need);    // "gpu", "zone=a"
// What is asked for with it, in words: "label gpu", "a version that validates".
std::string AskedText(const Need& need);
std::string BytesText(int64_t bytes);      // "6 GiB", "1536 MiB", "100 bytes"
std::string CpuText(int64_t cpu_millis);   // "2 cpus", "0.5 cpus"

// Executor, needs and what is excluded, without the words: the quick form for indexes.
bool MatchesStatically(const WorkerOffer& offer, const std::string& executor, const std::vector<Need>& needs,
                       const std::vector<Need>& excludes);
bool MatchesStatically(const WorkerOffer& offer, const Requirements& requirements);
// It matches, and is large enough when it is empty.
bool CouldServe(const WorkerOffer& offer, const Requirements& requirements);

struct Rejection {
  std::string_view filter;  // "executor", "needs", "excludes", "resources", "state", "room", "avoid"
  std::string why;
};
// The first of FindMisses, in words; empty: it would be placed there now.
std::optional<Rejection> FirstRejection(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid);

// --- The same filters, all of them at once and without words, so that a look at every worker of a large cluster costs
// little. Words come on demand.

enum class Obstacle : uint8_t {
  kNoExecutor,
  kUnhealthyExecutor,
  kLacksNeed,    // `which`: of the needs
  kHasExcluded,  // `which`: of what is excluded
  kTooSmall,     // `which`: a kSlots.. below; even when it is empty
  kState,        // `which`: the WorkerState
  kRefuses,      // ACTIVE, but takes nothing new by itself
  kHeld,         // ...or its room is held for one task
  kLimited,      // after failures it takes one attempt at a time, and has it
  kNoRoom,       // `which`: as for kTooSmall; what is too small is not named again here
  kAvoided,      // it just failed the task
};
inline constexpr uint16_t kSlots = 0;
inline constexpr uint16_t kCpu = 1;
inline constexpr uint16_t kMemory = 2;
inline constexpr uint16_t kDisk = 3;
inline constexpr uint16_t kFirstNamed = 4;  // and on, in the order of ResourceAmounts::named

struct Miss {
  Obstacle obstacle;
  uint16_t which = 0;

  friend bool operator==(const Miss&, const Miss&) = default;
};

// Everything that keeps the worker from taking the task now, what depends on the offer alone first. Empty: it would be
// placed there now. Replaces what is in `misses`.
void FindMisses(const WorkerFacts& worker, const Requirements& requirements, WorkerId avoid,
                std::vector<Miss>* misses);
// It depends on the worker's offer alone: waiting does not help.
bool IsStatic(const Miss& miss);
std::string_view FilterOf(const Miss& miss);  // as in Rejection
// What is true of every worker with that miss: "has no label gpu", "has less than 6 GiB of memory free".
std::string CauseText(const Miss& miss, const Requirements& requirements);
// With the worker's own figures: "has 4 GiB of memory free, 6 GiB are asked for".
std::string MissText(const Miss& miss, const WorkerFacts& worker, const Requirements& requirements);

// The largest requirements below these that drop what the misses name, so that the worker takes the task now. Empty:
// no change of the task alone does it (a slot must come free, the worker must take work again, ...).
std::optional<Requirements> Without(const std::vector<Miss>& misses, const WorkerFacts& worker,
                                    const Requirements& requirements);
// What Without changed, as a person would ask for it: "with memory <= 6 GiB and label spot allowed, without label
// gpu".
std::string ChangeText(const Requirements& from, const Requirements& to);

}  // namespace muster::balancer
