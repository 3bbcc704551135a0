// Where a simulated history plays: virtual time, chance, what happened, and the first promise that was broken.
//
// Everything that happens is planned with After and run in the order of its time; equal seeds give equal histories.
// MUSTER_SIMULATION_TRACE in the environment prints every step.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "master/core/random.h"

namespace muster::simulation {

class Scene {
 public:
  explicit Scene(uint64_t seed);

  // --- Time.
  absl::Time now() const { return now_; }
  void After(absl::Duration delay, std::function<void()> what);
  bool RunNext();  // false: nothing is planned any more

  // --- Chance.
  double Chance() { return random_.Fraction(); }  // in [0, 1)
  bool Happens(double probability) { return Chance() < probability; }
  absl::Duration UpTo(absl::Duration longest) { return longest * Chance(); }
  size_t Pick(size_t count) { return static_cast<size_t>(random_.Next() % count); }
  uint64_t Draw() { return random_.Next(); }

  // --- What is told afterwards.
  void Count(std::string_view what) { ++happened_[std::string(what)]; }
  const std::map<std::string, uint64_t>& happened() const { return happened_; }
  void Wrong(std::string what);  // the first counts
  const std::string& wrong() const { return wrong_; }

  bool traces() const { return traces_; }
  void Trace(std::string_view what);

 private:
  struct Planned {
    absl::Time at;
    uint64_t order;
    std::function<void()> what;
    // The earliest on top of a heap that std::push_heap makes.
    friend bool operator<(const Planned& a, const Planned& b) {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };

  core::Random random_;
  absl::Time now_;
  uint64_t order_ = 0;
  std::vector<Planned> agenda_;
  std::map<std::string, uint64_t> happened_;
  std::string wrong_;
  const bool traces_;
};

}  // namespace muster::simulation
