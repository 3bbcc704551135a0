// Says that it was made for an ABI of the future.
#include "worker/plugin_api/executor.h"

extern "C" const muster::plugin::PluginEntry* muster_executor_plugin() {
  static const muster::plugin::PluginEntry entry = {muster::plugin::kAbiVersion + 5, 0, "wrong_abi", "1.0", "",
                                                    nullptr, nullptr};
  return &entry;
}
