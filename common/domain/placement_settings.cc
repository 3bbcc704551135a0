#include "common/domain/placement_settings.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace muster {
namespace {

constexpr const char* kNoneText = "none";

std::string NameOf(std::optional<BalancerKind> kind) { return kind ? std::string(BalancerName(*kind)) : kNoneText; }

// False: it is no setting that this master knows.
bool TakeSetting(const std::string& name, const std::string& value, PlacementChange* change) {
  const std::optional<BalancerKind> kind = BalancerNamed(value);
  if (name == "balancer" && kind) {
    change->balancer = kind;
  } else if (name == "shadow" && (kind || value == kNoneText)) {
    change->shadow.emplace(kind);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void PlacementChange::Add(const PlacementChange& later) {
  if (later.balancer) balancer = later.balancer;
  if (later.shadow) shadow = later.shadow;
}

PlacementSettings PlacementChange::AppliedTo(PlacementSettings settings) const {
  if (balancer) settings.balancer = *balancer;
  if (shadow) settings.shadow = *shadow;
  return settings;
}

std::string PlacementText(const PlacementSettings& settings) {
  const std::optional<BalancerKind> beside = settings.RunningShadow();
  return absl::StrCat(NameOf(settings.balancer), beside ? absl::StrCat(", with ", NameOf(beside), " beside it") : ", with no shadow");
}

std::string ToText(const PlacementChange& change) {
  std::string text;
  if (change.balancer) absl::StrAppend(&text, "balancer=", NameOf(change.balancer));
  if (change.shadow) absl::StrAppend(&text, text.empty() ? "" : " ", "shadow=", NameOf(*change.shadow));
  return text;
}

std::optional<PlacementChange> PlacementChangeFrom(const std::string& text) {
  PlacementChange change;
  const std::vector<std::string> parts = absl::StrSplit(text, ' ', absl::SkipEmpty());
  for (const std::string& part : parts) {
    const std::pair<std::string, std::string> setting = absl::StrSplit(part, absl::MaxSplits('=', 1));
    if (!TakeSetting(setting.first, setting.second, &change)) return std::nullopt;
  }
  return change;
}

}  // namespace muster
