#include "tests/support/simulation/simulated_world.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);

core::CoreConfig Config(uint64_t seed) {
  core::CoreConfig config;
  config.placement.balancer = kBalancers[seed % std::size(kBalancers)];
  if (seed % 3 == 0) config.placement.shadow = kBalancers[seed / 4 % std::size(kBalancers)];
  config.heartbeat = kHeartbeat;
  config.lost_after = kLostAfter;
  config.self_fence = kSelfFence;
  config.kill_grace = kKillGrace;
  config.fence_margin = kFenceMargin;
  config.shutdown_lease = kShutdownLease;
  config.unknown_timeout = absl::Seconds(30);
  config.max_queued = seed % 5 == 0 ? 24 : 1000;
  config.resources = {{kLicence, kLicences}};
  config.reservation_after = absl::Seconds(3);
  config.seed = seed;
  return config;
}

std::vector<SimulatedMachine*> Pointers(const std::vector<std::unique_ptr<SimulatedMachine>>& machines) {
  std::vector<SimulatedMachine*> pointers;
  for (const auto& machine : machines) pointers.push_back(machine.get());
  return pointers;
}

std::vector<std::unique_ptr<SimulatedMachine>> MakeMachines(int count, Scene* scene, Promises* promises,
                                                            MasterEdge* master) {
  std::vector<std::unique_ptr<SimulatedMachine>> machines;
  for (int i = 0; i < count; ++i) {
    const double rate = 1 + 0.004 * (scene->Chance() - 0.5);
    machines.push_back(std::make_unique<SimulatedMachine>(
        scene, promises, master,
        SimulatedMachine::Options{absl::StrCat("w", i), static_cast<uint32_t>(1 + i), rate}));
  }
  return machines;
}

}  // namespace

SimulatedWorld::SimulatedWorld(WorldOptions options)
    : options_(std::move(options)),
      scene_(options_.seed),
      promises_(&scene_, &disk_.store),
      master_(&scene_, &disk_, &promises_, Config(options_.seed)),
      machines_(MakeMachines(options_.workers, &scene_, &promises_, &master_)),
      clients_(&scene_, &master_, &disk_, &promises_),
      accidents_(&scene_, &master_, &disk_, &clients_, Pointers(machines_)) {
  master_.Reach(Pointers(machines_));
  master_.on_effect = [this](const core::Effect& effect) { clients_.OnEffect(effect); };
  master_.PlanDeaths(options_.deaths);
}

std::string SimulatedWorld::Run() {
  master_.Start();
  for (const auto& machine : machines_) {
    scene_.After(scene_.UpTo(absl::Milliseconds(50)), [&machine = *machine] { machine.Boot(); });
  }
  if (options_.calls > 0) clients_.PlanSubmits(options_.calls, 0.8 * options_.troubled);
  if (options_.accidents) accidents_.Plan(options_.troubled);
  const absl::Time calm = scene_.now() + options_.troubled;
  const absl::Time give_up = calm + options_.patience;
  absl::Time look = calm;
  while (scene_.wrong().empty() && scene_.RunNext()) {
    if (scene_.now() < look) continue;
    look = scene_.now() + kLook;
    if (clients_.AllAnswered() && promises_.AllEnded() && master_.idle()) break;
    if (scene_.now() > give_up) scene_.Wrong("not everything has ended");
  }
  if (scene_.wrong().empty() && !master_.core()->OpenTasks(TaskId(), 1).empty()) scene_.Wrong("an ended task is open");
  return Tell();
}

std::string SimulatedWorld::Tell() const {
  std::string told = scene_.wrong();
  if (told.empty() || master_.core() == nullptr) return told;
  for (const auto& machine : machines_) {
    const auto view = master_.core()->FindWorker(machine->name());
    absl::StrAppend(&told, "\n  ", machine->Describe(), "; the master sees ",
                    view ? std::string(WorkerStateName(view->state)) : "none", " ", view ? view->reason : "");
  }
  for (const TaskId id : master_.core()->OpenTasks(TaskId(), 5)) {
    const auto view = master_.core()->FindTask(id);
    absl::StrAppend(&told, "\n  task ", id.value(), " is ", std::string(TaskStateName(StateOf(view->state))), " on ",
                    view->worker, ": ", view->reason);
  }
  return told;
}

}  // namespace muster::simulation
