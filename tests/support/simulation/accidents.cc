#include "tests/support/simulation/accidents.h"

#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

constexpr size_t kMostAccidents = 32;

}  // namespace

void Accidents::Plan(absl::Duration time) {
  const size_t count = scene_.Pick(kMostAccidents);
  for (size_t i = 0; i < count; ++i) {
    scene_.After(scene_.UpTo(time), [this] { Happen(); });
  }
  scene_.After(time, [this] { EndAll(); });
}

void Accidents::Happen() {
  SimulatedMachine& machine = *machines_[scene_.Pick(machines_.size())];
  const double kind = scene_.Chance();
  if (kind < 0.28) {
    ToAWire(machine);
  } else if (kind < 0.56) {
    ToAMachine(machine);
  } else if (kind < 0.72) {
    ToTheMaster();
  } else if (kind < 0.82) {
    ToTheDisk();
  } else {
    ByPeople(machine);
  }
}

void Accidents::ToAWire(SimulatedMachine& machine) {
  if (scene_.Happens(0.35)) {
    scene_.Count("session broken");
    return machine.wire().Break();
  }
  Cut(machine, scene_.UpTo(absl::Seconds(20)));
}

void Accidents::Cut(SimulatedMachine& machine, absl::Duration how_long) {
  const auto cut = [&](Path path, Way way) { machine.wire().CutFor(path, way, how_long); };
  switch (scene_.Pick(6)) {
    case 0:
    case 1:
      scene_.Count("cut off");
      for (const Path path : {Path::kSession, Path::kRegistry}) {
        for (const Way way : {Way::kUp, Way::kDown}) cut(path, way);
      }
      break;
    case 2:
      scene_.Count("cut from worker to master");
      for (const Path path : {Path::kSession, Path::kRegistry}) cut(path, Way::kUp);
      break;
    case 3:
      scene_.Count("cut from master to worker");
      for (const Path path : {Path::kSession, Path::kRegistry}) cut(path, Way::kDown);
      break;
    case 4:
      scene_.Count("calls cut, session alive");
      for (const Way way : {Way::kUp, Way::kDown}) cut(Path::kRegistry, way);
      break;
    default:
      scene_.Count("session cut, calls alive");
      cut(Path::kSession, scene_.Happens(0.5) ? Way::kUp : Way::kDown);
      break;
  }
}

void Accidents::ToAMachine(SimulatedMachine& machine) {
  switch (scene_.Pick(8)) {
    case 0:
    case 1:
      scene_.Count("worker killed");
      return machine.KillServer("killed");
    case 2: return machine.KillSupervisor();
    case 3:
    case 4: return machine.FreezeServer(scene_.UpTo(absl::Seconds(16)));
    case 5: return machine.FreezeSupervisor(scene_.UpTo(absl::Seconds(16)));
    case 6: return machine.Terminate(scene_.UpTo(absl::Seconds(4)));
    default: return machine.ExecuteDirectly();
  }
}

void Accidents::ToTheMaster() {
  switch (scene_.Pick(8)) {
    case 0:
    case 1:
      scene_.Count("master killed");
      return master_.Kill("killed");
    case 2:
    case 3: return master_.KillInNextCommit();
    case 4: return master_.Freeze(scene_.UpTo(absl::Seconds(12)));
    case 5: return master_.Freeze(scene_.UpTo(absl::Seconds(60)));
    case 6:
      scene_.Count("calendar jumped");
      master_.JumpCalendar(absl::Minutes(4 * scene_.Chance() - 2));
      return master_.Kill("killed");
    default:
      // Workers may be cut off for longer than it takes to call them lost, under the long lease of its end.
      if (scene_.Happens(0.7)) {
        scene_.After(absl::Seconds(1.5), [this] { Cut(*machines_[scene_.Pick(machines_.size())], absl::Seconds(25)); });
      }
      if (scene_.Happens(0.3)) master_.JumpCalendar(absl::Minutes(4 * scene_.Chance() - 2));
      return master_.Stop();
  }
}

void Accidents::ToTheDisk() {
  switch (scene_.Pick(3)) {
    case 0:
      disk_.full_until = scene_.now() + scene_.UpTo(absl::Seconds(8));
      return;
    case 1:
      disk_.slowness = absl::Seconds(1) + scene_.UpTo(absl::Seconds(9));
      disk_.slow_until = scene_.now() + scene_.UpTo(absl::Seconds(15));
      return;
    default: disk_.next_sync_fails = true; return;
  }
}

void Accidents::ByPeople(SimulatedMachine& machine) {
  switch (scene_.Pick(6)) {
    case 0:
    case 1: return clients_.CancelSomething();
    case 2: return clients_.ChangeAQueue();
    case 3: return clients_.ChangeThePlacement();
    case 4:
      scene_.Count("drain by hand");
      clients_.Drain(machine.name(), scene_.UpTo(absl::Seconds(3)));
      scene_.After(absl::Seconds(6), [this, &machine] { clients_.Resume(machine.name()); });
      return;
    default:
      machine.SetRefusing(true);
      scene_.After(scene_.UpTo(absl::Seconds(8)), [&machine] { machine.SetRefusing(false); });
      return;
  }
}

void Accidents::EndAll() {
  disk_.full_until = disk_.slow_until = absl::InfinitePast();
  disk_.next_sync_fails = false;
  master_.KillInNoCommit();  // one that is stopped goes on in its own time
  for (SimulatedMachine* const machine : machines_) {
    machine->wire().HealAll();
    machine->Thaw();
    machine->SetRefusing(false);
    // A resume that was lost with a master is said again.
    for (int i = 1; i < 24; ++i) {
      scene_.After(absl::Seconds(4 * i), [this, machine] { clients_.Resume(machine->name()); });
    }
  }
}

}  // namespace muster::simulation
