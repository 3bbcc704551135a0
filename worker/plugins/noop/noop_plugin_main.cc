#include "worker/plugins/noop/noop_executor.h"

MUSTER_EXECUTOR_PLUGIN("noop", "1.0", muster::noop::NoopExecutor)
