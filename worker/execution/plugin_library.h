// Loads an executor plugin: dlopen, the handshake, create.
//
// Thread rule: one thread loads; the executor itself is for any thread. Ownership: destroys the executor; the shared
// object stays mapped for the life of the process, since its threads and statics may outlive any order of ours.
// Errors: one line that names the file and says what to do.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/execution/execution_host.h"

namespace muster::execution {

class PluginLibrary {
 public:
  static absl::StatusOr<std::unique_ptr<PluginLibrary>> Load(const ExecutorConfig& config, const HostConfig& host);
  ~PluginLibrary();
  PluginLibrary(const PluginLibrary&) = delete;
  PluginLibrary& operator=(const PluginLibrary&) = delete;

  plugin::Executor& executor() const { return *executor_; }
  const plugin::PluginEntry& entry() const { return *entry_; }
  // Its attempts did not end: it may still be used, so it is never destroyed.
  void Abandon() { executor_ = nullptr; }

 private:
  PluginLibrary(const plugin::PluginEntry* entry, plugin::Executor* executor) : entry_(entry), executor_(executor) {}

  const plugin::PluginEntry* entry_;
  plugin::Executor* executor_;
};

// Where the shipped plugins are: ../lib/muster or lib/muster, seen from the running binary.
std::string ShippedPluginDirectory();

}  // namespace muster::execution
