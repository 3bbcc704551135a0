#include "common/base/id_text.h"
#include "common/convert/convert.h"

namespace muster::convert {

void ToProto(const PlacementView& from, v1::Placement* to) {
  to->set_balancer(std::string(BalancerName(from.settings.balancer)));
  if (from.settings.shadow) to->set_shadow(std::string(BalancerName(*from.settings.shadow)));
  to->set_balancer_set_by_hand(from.balancer_by_hand);
  to->set_shadow_set_by_hand(from.shadow_by_hand);
  if (from.compared_since != absl::InfinitePast()) ToProto(from.compared_since, to->mutable_compared_since());
  to->set_same_count(static_cast<int64_t>(from.same));
  to->set_different_count(static_cast<int64_t>(from.different));
  for (const ShadowDifference& one : from.newest) {
    v1::ShadowDifference* const out = to->add_differences();
    ToProto(one.time, out->mutable_time());
    out->set_task_id(IdToText(one.task.value()));
    out->set_worker(one.worker);
    out->set_why(one.why);
    out->set_shadow_worker(one.shadow_worker);
    out->set_shadow_why(one.shadow_why);
  }
}

}  // namespace muster::convert
