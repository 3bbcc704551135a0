// The executor `noop`: does nothing, to measure everything around it.
//
// Parameters, all optional: {"exit_code": N, "sleep_ms": N, "output_bytes": N}.
// Thread rule: any thread; without sleep_ms an attempt finishes inside Execute. Ownership: the host ends all attempts
// before it destroys the executor. Errors: bad parameters are START_FAILED with EINVAL.
#pragma once

#include <memory>

#include "worker/plugin_api/executor.h"

namespace muster::noop {

class SleepLoop;

class NoopExecutor final : public plugin::Executor {
 public:
  explicit NoopExecutor(const plugin::Options& options);
  ~NoopExecutor() override;

  std::unique_ptr<plugin::Execution> Execute(const plugin::Request& request, plugin::Context* context) override;
  plugin::Capabilities GetCapabilities() override;
  plugin::Health CheckHealth() override { return {}; }

 private:
  std::shared_ptr<SleepLoop> sleepers_;
};

}  // namespace muster::noop
