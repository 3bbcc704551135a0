// What the cluster has as a whole and no worker by itself, as readers see it. scheduler/cluster_resources.h decides on it.
//
// Thread rule: a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/domain/ids.h"

namespace muster {

inline constexpr size_t kMostClusterResources = 100;

struct ClusterResourceView {
  static constexpr size_t kMostTakers = 10;

  std::string name;
  int64_t amount = 0;
  int64_t used = 0;            // more than the amount when that was lowered below what runs
  uint64_t waiting = 0;        // tasks that were looked at and found too little of it
  std::vector<TaskId> takers;  // the first of those that have it
};

}  // namespace muster
