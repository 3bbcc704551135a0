// A whole cluster on virtual time: the real master core, real worker cores, and everything between and below them
// simulated. One seed is one history; equal seeds give equal histories.
//
//   clients ── calls ──▶ master ══ streams, calls ══ machines: supervisor, server, commands
//                          └── disk
// What can go wrong is listed in accidents.h; what must hold whatever goes wrong, in promises.h. Both cores'
// CheckInvariants() run at each step, and once the accidents have stopped everything must end.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/simulation/accidents.h"
#include "tests/support/simulation/clients.h"
#include "tests/support/simulation/promises.h"
#include "tests/support/simulation/scene.h"
#include "tests/support/simulation/simulated_disk.h"
#include "tests/support/simulation/simulated_machine.h"
#include "tests/support/simulation/simulated_master.h"

namespace muster::simulation {

struct WorldOptions {
  uint64_t seed = 1;
  int workers = 3;
  int calls = 14;                              // submits of clients
  absl::Duration troubled = absl::Seconds(25);  // accidents happen until then
  absl::Duration patience = absl::Minutes(10);  // and everything has ended by then
  bool accidents = true;
  std::vector<Death> deaths;                   // of the master, at exact places
};

class SimulatedWorld {
 public:
  explicit SimulatedWorld(WorldOptions options);

  // Runs the whole history. Empty: every promise held.
  std::string Run();

  // --- For stories told by hand: build the world, plan what happens, then Run.
  Scene& scene() { return scene_; }
  SimulatedMaster& master() { return master_; }
  SimulatedDisk& disk() { return disk_; }
  Clients& clients() { return clients_; }
  SimulatedMachine& machine(size_t index) { return *machines_[index]; }
  size_t machine_count() const { return machines_.size(); }

  const std::map<std::string, uint64_t>& happened() const { return scene_.happened(); }

 private:
  std::string Tell() const;

  const WorldOptions options_;
  Scene scene_;
  SimulatedDisk disk_;
  Promises promises_;
  SimulatedMaster master_;
  std::vector<std::unique_ptr<SimulatedMachine>> machines_;
  Clients clients_;
  Accidents accidents_;
};

}  // namespace muster::simulation
