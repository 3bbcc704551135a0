#include "master/request_handler/end_finder.h"

#include <utility>
#include <variant>

#include "common/telemetry/log.h"

namespace muster::handler {
namespace {

constexpr absl::Duration kReadAgain = absl::Seconds(1);

}  // namespace

void EndFinder::OnEffects(const std::vector<core::Effect>& effects) {
  for (const core::Effect& effect : effects) {
    const auto* find = std::get_if<core::FindEnds>(&effect);
    if (find == nullptr) continue;
    context_->pool.PostAlways([context = context_, ranges = find->ranges] { Find(context, ranges); });
  }
}

void EndFinder::Find(Context* context, const std::vector<core::AskedRange>& ranges) {
  absl::StatusOr<std::vector<core::RangeEnds>> ends = context->deps.store->FindEnds(ranges);
  if (ends.ok()) return context->deps.events->PostAlways(core::EndsFound{*std::move(ends)});
  MUSTER_LOG(kWarning, "cannot read how tasks ended that others depend on; trying again",
             {{"ranges", ranges.size()}, {"error", ends.status().ToString()}});
  context->timers.After(kReadAgain, [context, ranges] {
    context->pool.PostAlways([context, ranges] { Find(context, ranges); });
  });
}

}  // namespace muster::handler
