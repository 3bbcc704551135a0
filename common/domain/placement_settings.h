// Which balancer decides where tasks run, and which one, if any, runs beside it as its shadow.
//
// The master's configuration is the base; what people set by hand is stored and wins over it, setting by setting, until
// it is reset. Thread rule: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/domain/balancer_kind.h"
#include "common/domain/ids.h"

namespace muster {

struct PlacementSettings {
  BalancerKind balancer = BalancerKind::kLeastLoaded;
  std::optional<BalancerKind> shadow;  // empty: none

  // What really runs beside: nothing runs beside itself.
  std::optional<BalancerKind> RunningShadow() const { return shadow == balancer ? std::nullopt : shadow; }
  friend bool operator==(const PlacementSettings&, const PlacementSettings&) = default;
};

// Some of the settings: to be changed, or as they were set by hand.
struct PlacementChange {
  std::optional<BalancerKind> balancer;
  std::optional<std::optional<BalancerKind>> shadow;  // an inner one that is empty: no shadow

  bool Empty() const { return !balancer && !shadow; }
  void Add(const PlacementChange& later);
  PlacementSettings AppliedTo(PlacementSettings settings) const;
  friend bool operator==(const PlacementChange&, const PlacementChange&) = default;
};

// "locality, with weighted beside it", "locality, with no shadow".
std::string PlacementText(const PlacementSettings& settings);

// A change as a store keeps it, and back: "balancer=locality shadow=none". Empty: it is none.
std::string ToText(const PlacementChange& change);
std::optional<PlacementChange> PlacementChangeFrom(const std::string& text);

// One task that the shadow would have given to another worker.
struct ShadowDifference {
  absl::Time time;
  TaskId task;
  std::string worker;         // that got it
  std::string why;            // in words ("has 0 of 4 slots taken")
  std::string shadow_worker;  // that would have got it; empty: it would have waited, as it is sent ahead of a free slot
  std::string shadow_why;
};

// As readers see it.
struct PlacementView {
  PlacementSettings settings;
  bool balancer_by_hand = false;
  bool shadow_by_hand = false;
  // Of the pair that runs now; while no shadow runs, of the last one.
  absl::Time compared_since = absl::InfinitePast();
  uint64_t same = 0;
  uint64_t different = 0;
  std::vector<ShadowDifference> newest;  // some of the different ones, newest first
};

}  // namespace muster
