#include "worker/plugins/command/command_executor.h"

MUSTER_EXECUTOR_PLUGIN("command", "1.0", muster::command::CommandExecutor)
