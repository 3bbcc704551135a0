// Tasks that wait for others: moved on when what they need has ended as asked, CANCELLED when it never can.
//
// Ends are noted where they happen (transitions.cc) in the index (dependencies.h), which only queues the groups that
// they decide; once a turn they are taken from there, before the scheduling round. So an end, what it releases and where
// that is dispatched to are of one commit, and nothing starts before the ends that it needs are durable. A task that is
// cancelled here is itself an end, and may decide others: the queue takes them in turn, so that a chain of any length
// costs no stack, and a turn moves a bounded number of tasks; the next one goes on at once.
//
// Of what had ended before somebody waited for it the store is asked: effect FindEnds, event EndsFound. A restart does
// the same for all that wait: what has become of them follows from the outcomes alone, and is not stored.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "master/core/cluster.h"
#include "master/core/dependencies.h"
#include "master/core/events.h"
#include "master/core/transitions.h"

namespace muster::core {

class Dependents {
 public:
  static constexpr size_t kMovesATurn = 10'000;   // tasks
  static constexpr size_t kRangesAsked = 1'000;   // by one effect
  static constexpr size_t kAskedATurn = 20;       // effects

  Dependents(Cluster* cluster, Transitions* transitions) : cluster_(*cluster), transitions_(*transitions) {}

  void OnFound(const EndsFound& event);
  void OnTurn(const Moment& turn);
  // There is more than the last turn had room for.
  bool unfinished() const {
    return current_.has_value() || cluster_.dependencies.any_decided() || cluster_.dependencies.any_unknown();
  }

 private:
  void AskStore(const Moment& turn);
  // Up to `most` tasks of the current group; how many were moved. Clears it when none is left.
  size_t MoveSome(const Moment& turn, size_t most);

  Cluster& cluster_;
  Transitions& transitions_;
  std::optional<Dependencies::Decided> current_;  // what is left of its range
};

// "task 4F ended FAILED", "how task 4F ended is not known any more: ...": of what makes a dependency impossible.
std::string WhyImpossible(const Dependencies::Unmet& need);
// "waits for 5 tasks: fetch, 4F, 4G and 2 more", of one that does so; also "fetch (RUNNING on w1)".
enum class Words : uint8_t { kNames, kStates };
std::string WaitsForWords(const Cluster& cluster, const Dependencies& dependencies, const Task& task, Words words);

}  // namespace muster::core
