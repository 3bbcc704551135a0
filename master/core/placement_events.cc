#include "master/core/placement_events.h"

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"

namespace muster::core {

void PlacementEvents::Start(const Moment& turn) { PutInForce(turn, {}); }

void PlacementEvents::OnUpdate(const Moment& turn, const UpdatePlacement& event) {
  const PlacementChange& change = event.change;
  PlacementTable& table = cluster_.placement;
  const BalancerKind balancer = table.After(event.reset, change).balancer;
  if (change.shadow && *change.shadow == balancer) {
    const std::string same = absl::StrCat("is ", std::string(BalancerName(balancer)), ", as the balancer: there would be nothing to compare");
    return turn.Emit(PlacementAnswer{event.call, RefuseField("BAD_PLACEMENT", "placement.shadow", same), {}});
  }
  const PlacementSettings before = table.settings();
  const PlacementRow row_before = table.Row();
  if (event.reset) table.Reset();
  table.SetByHand(change);
  PutInForce(turn, before);
  if (table.Row().by_hand != row_before.by_hand) {
    turn.rows().placement = table.Row();
    turn.Log(activity::PlacementChanged{PlacementText(table.settings()), event.by});
  }
  turn.Emit(PlacementAnswer{event.call, absl::OkStatus(), table.view()});
}

void PlacementEvents::PutInForce(const Moment& turn, const PlacementSettings& before) {
  const PlacementSettings& settings = cluster_.placement.settings();
  cluster_.balancer.Use(settings.balancer, settings.RunningShadow());
  const bool new_pair = settings.balancer != before.balancer || settings.RunningShadow() != before.RunningShadow();
  if (settings.RunningShadow() && new_pair) cluster_.placement.BeginComparison(turn.now);
}

}  // namespace muster::core
