// The executor `command`: runs processes. semantics of a run: docs/plugins.md and the files beside this one.
//
//   Execute ─▶ Spawners (a few threads, vfork) ─▶ EventLoop (one thread: pidfds, pipes, timers) ─▶ Context::Finish
//
// Settings: kill_tier (auto, cgroup2, freezer, walk), path, home, lang, drain_ms, spawners, and those of the isolation
// (isolation.h, users.h), which the worker's own configuration has under `isolation`.
// Thread rule: any thread. Ownership: the host ends all runs before it destroys the executor. Errors: a bad setting
// or a tier that is not to be had throws at construction, which the entry point turns into the host's error.
#pragma once

#include <memory>

#include "worker/plugin_api/executor.h"
#include "worker/plugins/command/spawners.h"

namespace muster::command {

class CommandExecutor final : public plugin::Executor {
 public:
  explicit CommandExecutor(const plugin::Options& options);
  ~CommandExecutor() override;

  std::unique_ptr<plugin::Execution> Execute(const plugin::Request& request, plugin::Context* context) override;
  plugin::Capabilities GetCapabilities() override;
  plugin::Health CheckHealth() override;

 private:
  Descriptor null_;
  std::unique_ptr<ProcessForest> forest_;
  MemoryLimits memory_;
  BoundsTable bounds_;
  std::unique_ptr<Users> users_;
  IsolationOffer offer_;
  EventLoop loop_;
  RunServices services_;
  std::unique_ptr<Spawners> spawners_;
};

}  // namespace muster::command
