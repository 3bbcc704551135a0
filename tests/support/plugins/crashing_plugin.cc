// Throws from create, past the entry point that MUSTER_EXECUTOR_PLUGIN would have made.
#include <stdexcept>

#include "worker/plugin_api/executor.h"

namespace {

muster::plugin::Executor* Create(const muster::plugin::Options& options, std::string*) {
  if (options.settings.count("quietly") != 0) return nullptr;
  throw std::runtime_error("no licence found");
}

void Destroy(muster::plugin::Executor* executor) { delete executor; }

}  // namespace

extern "C" const muster::plugin::PluginEntry* muster_executor_plugin() {
  static const muster::plugin::PluginEntry entry = {muster::plugin::kAbiVersion, sizeof(muster::plugin::Request),
                                                    "crashing", "1.0", muster::plugin::kLibraryTag, &Create, &Destroy};
  return &entry;
}
