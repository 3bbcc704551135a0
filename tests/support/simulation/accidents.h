// What goes wrong in a simulated history, drawn by chance:
//
//   wires      a session breaks; a machine is cut off whole, or one way, or its session's or its calls' path alone
//   machines   a server or a supervisor is killed, or stopped for a while; SIGTERM; it refuses; a person's Execute
//   master     killed (also in the middle of a commit), stopped for up to a minute, ended in order
//   disk       full for a while; commits that take 1 to 10 s; a sync that fails
//   clocks     the calendar jumps by up to two minutes, and the master starts anew by it
//   people     cancel, drain, resume
// Thread rule: one thread. Ownership: everything given outlives it.
#pragma once

#include <vector>

#include "absl/time/time.h"
#include "tests/support/simulation/clients.h"
#include "tests/support/simulation/scene.h"
#include "tests/support/simulation/simulated_disk.h"
#include "tests/support/simulation/simulated_machine.h"
#include "tests/support/simulation/simulated_master.h"

namespace muster::simulation {

class Accidents {
 public:
  Accidents(Scene* scene, SimulatedMaster* master, SimulatedDisk* disk, Clients* clients,
            std::vector<SimulatedMachine*> machines)
      : scene_(*scene), master_(*master), disk_(*disk), clients_(*clients), machines_(std::move(machines)) {}

  // Within `time`; afterwards everything is whole again.
  void Plan(absl::Duration time);
  void EndAll();

 private:
  void Happen();
  void ToAWire(SimulatedMachine& machine);
  void ToAMachine(SimulatedMachine& machine);
  void ToTheMaster();
  void ToTheDisk();
  void ByPeople(SimulatedMachine& machine);
  void Cut(SimulatedMachine& machine, absl::Duration how_long);

  Scene& scene_;
  SimulatedMaster& master_;
  SimulatedDisk& disk_;
  Clients& clients_;
  const std::vector<SimulatedMachine*> machines_;
};

}  // namespace muster::simulation
