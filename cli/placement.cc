// muster placement: which balancer decides, and what the one beside it would do otherwise. And to change them.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/domain/balancer_kind.h"

namespace muster::cli {
namespace {

std::string Origin(bool by_hand) { return by_hand ? "(set by hand)" : "(as configured)"; }

std::string ShadowWords(const v1::Placement& placement) {
  if (placement.shadow().empty()) return "none";
  if (placement.shadow() == placement.balancer()) return absl::StrCat(placement.shadow(), ", which is the balancer now: none runs");
  return placement.shadow();
}

bool ShadowRuns(const v1::Placement& placement) {
  return !placement.shadow().empty() && placement.shadow() != placement.balancer();
}

// "1,204 of 9,310 placements (12.9 %) would have been different"
std::string ComparisonWords(const v1::Placement& placement, absl::Time now) {
  const int64_t all = placement.same_count() + placement.different_count();
  const absl::Duration since = std::max(absl::ZeroDuration(), now - convert::FromProto(placement.compared_since()));
  if (all == 0) return absl::StrCat("nothing was placed in the last ", AgeText(since));
  const double share = 100.0 * static_cast<double>(placement.different_count()) / static_cast<double>(all);
  return absl::StrFormat("%d of %d placements (%.1f %%) in the last %s would have been different", placement.different_count(), all,
                         share, AgeText(since));
}

std::string DifferenceWords(const v1::ShadowDifference& one, absl::Time now) {
  const absl::Duration ago = std::max(absl::ZeroDuration(), now - convert::FromProto(one.time()));
  const std::string other = one.shadow_worker().empty() ? "the shadow would have sent it nowhere yet"
                                                        : absl::StrCat("the shadow: ", one.shadow_worker(), ", which ", one.shadow_why());
  return absl::StrCat("task ", one.task_id(), ", ", AgeText(ago), " ago: ", one.worker(), ", which ", one.why(), "; ", other);
}

std::string PlacementPage(const v1::Placement& placement, absl::Time now) {
  std::string page;
  const auto line = [&page](const char* name, const std::string& value) {
    absl::StrAppend(&page, absl::StrFormat("%-12s %s\n", name, value));
  };
  line("Balancer:", absl::StrCat(placement.balancer(), " ", Origin(placement.balancer_set_by_hand())));
  line("Shadow:", absl::StrCat(ShadowWords(placement), " ", Origin(placement.shadow_set_by_hand())));
  if (!ShadowRuns(placement)) return page;
  line("Compared:", ComparisonWords(placement, now));
  for (const v1::ShadowDifference& one : placement.differences()) line("", DifferenceWords(one, now));
  return page;
}

std::string PlacementSummary(const v1::Placement& placement) {
  return absl::StrCat("tasks are placed by ", placement.balancer(),
                      ShadowRuns(placement) ? absl::StrCat(", with ", placement.shadow(), " beside it") : "");
}

struct SetPlacementFlags {
  std::string balancer;
  std::string shadow;
  bool no_shadow = false;
  bool reset = false;
};

absl::Status CheckName(const std::string& name) {
  return name.empty() || BalancerNamed(name) ? absl::OkStatus() : UsageError(WhyNoBalancer(name));
}

absl::StatusOr<v1::UpdatePlacementRequest> BuildUpdate(const SetPlacementFlags& flags) {
  MUSTER_RETURN_IF_ERROR(CheckName(flags.balancer));
  MUSTER_RETURN_IF_ERROR(CheckName(flags.shadow));
  if (!flags.shadow.empty() && flags.no_shadow) return UsageError("--shadow and --no-shadow exclude each other");
  v1::UpdatePlacementRequest request;
  request.set_reset(flags.reset);
  if (!flags.balancer.empty()) request.mutable_update_mask()->add_paths("balancer");
  if (!flags.shadow.empty() || flags.no_shadow) request.mutable_update_mask()->add_paths("shadow");
  if (!flags.reset && request.update_mask().paths().empty()) {
    return UsageError("what is to be set? Name a balancer, --shadow NAME, --no-shadow or --reset");
  }
  request.mutable_placement()->set_balancer(flags.balancer);
  request.mutable_placement()->set_shadow(flags.shadow);
  return request;
}

Action SetUpSetPlacement(Flags& flags) {
  auto values = std::make_shared<SetPlacementFlags>();
  flags.Usage("placement set [flags] [BALANCER]");
  flags.Positional("BALANCER", &values->balancer, "least_loaded, round_robin, weighted or locality.", false);
  flags.Text("--shadow", &values->shadow, "NAME", "Another one that runs beside it, decides nothing, and is compared.");
  flags.Switch("--no-shadow", &values->no_shadow, "None runs beside it.");
  flags.Switch("--reset", &values->reset, "First back to the master's configuration.");
  flags.Examples(
      "  muster placement set --shadow locality              what would it do otherwise?\n"
      "  muster placement set locality --shadow least_loaded\n"
      "  muster placement set --reset");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(const v1::UpdatePlacementRequest request, BuildUpdate(*values));
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::UpdatePlacementResponse response, client->UpdatePlacement(request));
    session.terminal().Say(PlacementSummary(response.placement()));
    return 0;
  };
}

}  // namespace

Action SetUpPlacement(Flags& flags) {
  auto values = std::make_shared<OutputFlags>();
  flags.Usage("placement [flags]");
  values->Declare(flags);
  flags.Verb("set", "Change the balancer, or the one beside it, while all goes on.", SetUpSetPlacement);
  flags.Examples("  muster placement\n  muster placement set --shadow locality");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::GetPlacementResponse response, client->GetPlacement({}));
    const Format format = values->Get();
    if (IsData(format)) {
      PrintMessage(format, response.placement());
    } else {
      Print(format == Format::kName ? absl::StrCat(response.placement().balancer(), "\n")
                                    : PlacementPage(response.placement(), absl::Now()));
    }
    return 0;
  };
}

}  // namespace muster::cli
