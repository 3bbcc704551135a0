// The master's disk: what is durable on it, and how it fails.
//
//   full    a commit is refused, nothing of it is there; the master tries again until there is room
//   slow    a commit takes seconds; the loop does nothing else meanwhile
//   broken  a sync fails: the commit may or may not be there, and the master dies of it
// Thread rule: one thread.
#pragma once

#include "absl/time/time.h"
#include "tests/support/memory_store.h"

namespace muster::simulation {

struct SimulatedDisk {
  testing::MemoryStore store;
  absl::Time full_until = absl::InfinitePast();
  absl::Time slow_until = absl::InfinitePast();
  absl::Duration slowness;
  bool next_sync_fails = false;
};

}  // namespace muster::simulation
