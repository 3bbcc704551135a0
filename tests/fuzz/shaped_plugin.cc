// A plugin whose entry is whatever the program that loads it says: see plugin_handshake_fuzz.cc.
#include "worker/plugin_api/executor.h"

extern "C" const muster::plugin::PluginEntry* muster_fuzz_plugin_entry();

extern "C" const muster::plugin::PluginEntry* muster_executor_plugin() { return muster_fuzz_plugin_entry(); }
