#include "master/balancer/infeasibility.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "master/balancer/filters.h"

namespace muster::balancer {
namespace {

constexpr size_t kNamedWorkers = 3;  // in a reason

template <typename Lacks>
bool AllPresent(const std::vector<ListedWorker>& workers, const Lacks& lacks) {
  return std::all_of(workers.begin(), workers.end(),
                     [&](const ListedWorker& worker) { return !worker.present || lacks(worker.facts->offer).has_value(); });
}

std::string NoExecutor(const std::vector<ListedWorker>& workers, const std::string& executor) {
  std::vector<std::string> unhealthy;
  for (const ListedWorker& worker : workers) {
    if (!worker.present || unhealthy.size() >= kNamedWorkers) continue;
    for (const ExecutorOffer& offer : worker.facts->offer.executors) {
      if (offer.name != executor) continue;
      unhealthy.push_back(absl::StrCat(worker.facts->name, ": unhealthy", offer.reason.empty() ? "" : ": ", offer.reason));
      break;
    }
  }
  std::string text = absl::StrCat("no worker offers executor ", executor);
  if (!unhealthy.empty()) absl::StrAppend(&text, " (", absl::StrJoin(unhealthy, "; "), ")");
  return text;
}

std::string NoneHas(const Need& need) {
  if (IsForValidation(need)) return "no worker validates: it takes one of this version or newer";
  return absl::StrCat(IsForIsolation(need) ? "no worker offers " : "no worker has ", AskedText(need));
}

std::string NoRoom(const std::vector<ListedWorker>& workers, const Requirements& requirements) {
  std::vector<std::string> largest;
  for (const ListedWorker& worker : workers) {
    if (!worker.present || largest.size() >= kNamedWorkers) continue;
    if (!MatchesStatically(worker.facts->offer, requirements)) continue;
    largest.push_back(absl::StrCat(worker.facts->name, " ",
                                   NeverFits(worker.facts->offer, requirements.resources).value_or("has no slots")));
  }
  return absl::StrCat("no worker is large enough (", absl::StrJoin(largest, "; "), ")");
}

}  // namespace

std::vector<std::string> WhyNoneCould(const std::vector<ListedWorker>& workers, const Requirements& requirements) {
  auto present = [](const ListedWorker& worker) { return worker.present; };
  if (std::none_of(workers.begin(), workers.end(), present)) return {"no worker has joined"};
  std::vector<std::string> reasons;
  if (AllPresent(workers, [&](const WorkerOffer& offer) { return LacksExecutor(offer, requirements.executor); })) {
    reasons.push_back(NoExecutor(workers, requirements.executor));
  }
  for (const Need& need : requirements.needs) {
    if (AllPresent(workers, [&](const WorkerOffer& offer) { return LacksNeed(offer, need); })) {
      reasons.push_back(NoneHas(need));
    }
  }
  for (const Need& excluded : requirements.excludes) {
    if (AllPresent(workers, [&](const WorkerOffer& offer) { return HasExcluded(offer, excluded); })) {
      reasons.push_back(absl::StrCat("every worker has label ", NeedText(excluded), ", which the task avoids"));
    }
  }
  if (!reasons.empty()) return reasons;
  bool some_match = false;
  for (const ListedWorker& worker : workers) {
    if (!worker.present || !MatchesStatically(worker.facts->offer, requirements)) continue;
    if (CouldFit(*worker.facts, requirements.resources)) return {};
    some_match = true;
  }
  if (some_match) return {NoRoom(workers, requirements)};
  std::vector<std::string> asked = {absl::StrCat("executor ", requirements.executor)};
  for (const Need& need : requirements.needs) asked.push_back(AskedText(need));
  for (const Need& excluded : requirements.excludes) asked.push_back(absl::StrCat("no label ", NeedText(excluded)));
  return {absl::StrCat("no single worker has all of: ", absl::StrJoin(asked, ", "))};
}

}  // namespace muster::balancer
