#include "master/app/placement_log.h"

#include <string>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/telemetry/log.h"

namespace muster::master {
namespace {

std::string Choice(BalancerKind balancer, const std::string& worker, const std::string& why) {
  const std::string name(BalancerName(balancer));
  if (worker.empty()) return absl::StrCat(name, ": none for now");
  return absl::StrCat(name, ": ", worker, ", which ", why);
}

}  // namespace

void PlacementLog::OnEffects(const std::vector<core::Effect>& effects, CommitNumber) {
  for (const core::Effect& effect : effects) {
    const auto* const differed = std::get_if<core::PlacementDiffered>(&effect);
    if (differed == nullptr) continue;
    const ShadowDifference& one = differed->difference;
    const PlacementSettings& settings = differed->settings;
    MUSTER_LOG(kInfo, "the shadow would have placed it elsewhere",
               {{"task", IdToText(one.task.value())},
                {"placed", Choice(settings.balancer, one.worker, one.why)},
                {"shadow", Choice(settings.shadow.value_or(settings.balancer), one.shadow_worker, one.shadow_why)},
                {"since_last", std::to_string(differed->count)}});
  }
}

}  // namespace muster::master
