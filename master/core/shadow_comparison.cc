#include "master/core/shadow_comparison.h"

#include <utility>
#include <variant>

namespace muster::core {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr absl::Duration kBetweenKept = absl::Seconds(1);
constexpr size_t kMostKept = 5;

}  // namespace

void ShadowComparison::Compare(const Moment& turn, const Task& task, WorkerId chosen,
                               const std::function<bool(WorkerId)>& unwanted) {
  balancer::Balancer* const shadow = cluster_.balancer.shadow();
  const TaskSpec& spec = task.spec();
  if (shadow == nullptr || spec.requirements.arrangement != Arrangement::kBalanced) return;
  const balancer::Placement placement = shadow->Choose(spec.requirements, task.avoid, spec.fingerprint, unwanted);
  const auto* const placed = std::get_if<balancer::Placed>(&placement);
  Count(turn, task, chosen, placed == nullptr ? WorkerId() : placed->worker);
}

void ShadowComparison::CompareAhead(const Moment& turn, const Task& task, WorkerId chosen,
                                    std::optional<WorkerId> shadow_choice) {
  Count(turn, task, chosen, shadow_choice.value_or(WorkerId()));
}

void ShadowComparison::Count(const Moment& turn, const Task& task, WorkerId chosen, WorkerId shadow_choice) {
  PlacementView& seen = cluster_.placement.view();
  if (shadow_choice == chosen) {
    ++seen.same;
    ++cluster_.counters.shadow_same;
    return;
  }
  ++seen.different;
  ++cluster_.counters.shadow_different;
  const bool first_of_the_pair = seen.newest.empty();
  untold_ = first_of_the_pair ? 1 : untold_ + 1;
  const bool tell = first_of_the_pair || turn.now >= tell_again_;
  if (!tell && turn.now < keep_again_ && seen.newest.size() == kMostKept) return;
  keep_again_ = turn.now + kBetweenKept;
  seen.newest.insert(seen.newest.begin(), DifferenceOf(turn, task, chosen, shadow_choice));
  if (seen.newest.size() > kMostKept) seen.newest.pop_back();
  if (!tell) return;
  tell_again_ = turn.now + kBetweenLines;
  turn.Emit(PlacementDiffered{seen.settings, seen.newest.front(), std::exchange(untold_, 0)});
}

ShadowDifference ShadowComparison::DifferenceOf(const Moment& turn, const Task& task, WorkerId chosen,
                                                WorkerId shadow_choice) const {
  const auto why = [&](const balancer::Balancer& balancer, WorkerId worker) {
    return worker ? balancer.Why(worker, task.spec().fingerprint) : std::string();
  };
  return {turn.now,
          task.id,
          cluster_.NameOf(chosen),
          why(cluster_.balancer, chosen),
          cluster_.NameOf(shadow_choice),
          why(*cluster_.balancer.shadow(), shadow_choice)};
}

}  // namespace muster::core
