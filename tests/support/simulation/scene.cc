#include "tests/support/simulation/scene.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace muster::simulation {
namespace {

constexpr int64_t kBeginning = 1'800'000'000;

}  // namespace

Scene::Scene(uint64_t seed)
    : random_(seed * 7919 + 17),
      now_(absl::FromUnixSeconds(kBeginning)),
      traces_(std::getenv("MUSTER_SIMULATION_TRACE") != nullptr) {}

void Scene::After(absl::Duration delay, std::function<void()> what) {
  agenda_.push_back({now_ + std::max(delay, absl::ZeroDuration()), ++order_, std::move(what)});
  std::push_heap(agenda_.begin(), agenda_.end());
}

bool Scene::RunNext() {
  if (agenda_.empty()) return false;
  std::pop_heap(agenda_.begin(), agenda_.end());
  const Planned next = std::move(agenda_.back());
  agenda_.pop_back();
  now_ = next.at;
  next.what();
  return true;
}

void Scene::Wrong(std::string what) {
  if (!wrong_.empty()) return;
  wrong_ = absl::StrCat("at ", absl::FormatDuration(now_ - absl::FromUnixSeconds(kBeginning)), ": ", what);
  if (traces_) Trace(absl::StrCat("WRONG: ", what));
}

void Scene::Trace(std::string_view what) {
  if (!traces_) return;
  std::fprintf(stderr, "%12.6f %.*s\n", absl::ToDoubleSeconds(now_ - absl::FromUnixSeconds(kBeginning)),
               static_cast<int>(what.size()), what.data());
}

}  // namespace muster::simulation
