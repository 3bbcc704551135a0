// The workers whose offer has one executor, one list of needs, and nothing of one list of what is excluded, sorted for
// choosing. The balancer's alone.
//
// Thread rule: the balancer's.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"
#include "common/domain/worker_facts.h"

namespace muster::balancer {

// (rank, id): lowest first.
using Ranked = std::pair<uint64_t, WorkerId>;

struct Pool {
  std::string executor;
  std::vector<Need> needs;
  std::vector<Need> excludes;
  uint64_t last_used = 0;

  absl::btree_set<WorkerId> members;  // that match, whatever their state
  absl::btree_set<Ranked> ready;      // of them: take work and have a free slot
  absl::btree_set<Ranked> ahead;      // of them: take work and have no free slot

  // Those of `ready` once more, by how full they are (load_rank.h): for tasks that are spread, or packed. Kept from when
  // one first asks.
  struct ByLoad {
    bool kept = false;
    absl::btree_set<Ranked> workers;
  };
  ByLoad emptiest;
  ByLoad fullest;

  // For amounts that were asked for: a member that could fit them when it is empty. Verified before it is believed.
  absl::flat_hash_map<ResourceAmounts, WorkerId> could_fit;
};

enum class Listed : uint8_t { kNo, kReady, kAhead };

// How full a worker is (load_rank.h), as it is listed by load.
struct LoadRank {
  uint64_t emptiest = 0;
  uint64_t fullest = 0;

  friend bool operator==(const LoadRank&, const LoadRank&) = default;
};

// A worker, and where the pools that it is a member of have it.
struct ListedWorker {
  const WorkerFacts* facts = nullptr;
  bool present = false;
  bool takes_work = false;
  uint64_t offer_revision = 0;
  std::vector<Pool*> pools;  // it is a member of
  Listed listed = Listed::kNo;
  uint64_t rank = 0;  // under which it is listed
  LoadRank load;      // the same, by load
};

// Finds pools by what is asked for, without copying it.
struct PoolKey {
  std::string executor;
  std::vector<Need> needs;
  std::vector<Need> excludes;
};
struct PoolKeyView {
  const std::string& executor;
  const std::vector<Need>& needs;
  const std::vector<Need>& excludes;
};
struct PoolKeyHash {
  using is_transparent = void;
  template <typename Key>
  size_t operator()(const Key& key) const {
    return absl::Hash<std::tuple<const std::string&, const std::vector<Need>&, const std::vector<Need>&>>()(
        {key.executor, key.needs, key.excludes});
  }
};
struct PoolKeyEq {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return a.executor == b.executor && a.needs == b.needs && a.excludes == b.excludes;
  }
};
template <typename Value>
using PoolMap = absl::flat_hash_map<PoolKey, Value, PoolKeyHash, PoolKeyEq>;

}  // namespace muster::balancer
