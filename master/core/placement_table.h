// Which balancer decides and which one runs beside it: the configuration as the base, and over it what people set by
// hand; and what came of comparing the two.
//
// Thread rule: one thread. Cost: O(1).
#pragma once

#include "common/domain/placement_settings.h"
#include "master/core/transaction.h"

namespace muster::core {

class PlacementTable {
 public:
  explicit PlacementTable(const PlacementSettings& configured) : configured_(configured) { Settle(); }

  const PlacementSettings& settings() const { return view_.settings; }
  void SetByHand(const PlacementChange& change) {
    by_hand_.Add(change);
    Settle();
  }
  // What would hold then.
  PlacementSettings After(bool reset, const PlacementChange& change) const {
    PlacementChange by_hand = reset ? PlacementChange() : by_hand_;
    by_hand.Add(change);
    return by_hand.AppliedTo(configured_);
  }
  void Reset() {  // back to the configuration
    by_hand_ = {};
    Settle();
  }

  // The row that stores what people set of it, and back.
  PlacementRow Row() const { return {by_hand_}; }
  void Restore(const PlacementRow& row) {
    by_hand_ = row.by_hand;
    Settle();
  }

  // Who compares counts here; a new pair begins anew.
  PlacementView& view() { return view_; }
  const PlacementView& view() const { return view_; }
  void BeginComparison(absl::Time now) {
    view_.compared_since = now;
    view_.same = view_.different = 0;
    view_.newest.clear();
  }

 private:
  void Settle() {
    view_.settings = by_hand_.AppliedTo(configured_);
    view_.balancer_by_hand = by_hand_.balancer.has_value();
    view_.shadow_by_hand = by_hand_.shadow.has_value();
  }

  const PlacementSettings configured_;
  PlacementChange by_hand_;
  PlacementView view_;
};

}  // namespace muster::core
