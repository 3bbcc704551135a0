// Says that it was built with another C++ library.
#include "worker/plugin_api/executor.h"

extern "C" const muster::plugin::PluginEntry* muster_executor_plugin() {
  static const muster::plugin::PluginEntry entry = {muster::plugin::kAbiVersion, sizeof(muster::plugin::Request),
                                                    "wrong_library", "1.0", "libother-1", nullptr, nullptr};
  return &entry;
}
