#include "common/domain/worker.h"

#include <array>

namespace muster {

std::string_view WorkerStateName(WorkerState state) {
  constexpr std::array<std::string_view, 6> kNames = {"NONE", "ACTIVE", "SUSPECT", "LOST", "DRAINING", "QUARANTINED"};
  const auto index = static_cast<size_t>(state);
  return index < kNames.size() ? kNames[index] : "NONE";
}

}  // namespace muster
