// Healthy as long as the file of its setting `sick_file` is not there; throws from its health check while the file of
// `throw_file` is.
#include <unistd.h>

#include <stdexcept>
#include <string>

#include "worker/plugin_api/executor.h"

namespace {

using namespace muster::plugin;  // NOLINT: a small test plugin

class Done final : public Execution {
 public:
  void Stop() override {}
  void Kill() override {}
  void OutputRoom(Stream) override {}
};

class Moody final : public Executor {
 public:
  explicit Moody(const Options& options) : settings_(options.settings) {}

  std::unique_ptr<Execution> Execute(const Request&, Context* context) override {
    context->Started();
    Result result;
    result.by_itself = true;
    context->Finish(result);
    return std::make_unique<Done>();
  }
  Capabilities GetCapabilities() override {
    Capabilities capabilities;
    capabilities.names = {"moody"};
    capabilities.wants_task_directory = false;
    return capabilities;
  }
  Health CheckHealth() override {
    if (Exists("throw_file")) throw std::runtime_error("no pulse");
    if (Exists("sick_file")) return {false, "it is sick"};
    return {};
  }

 private:
  bool Exists(const char* key) { return access(settings_[key].c_str(), F_OK) == 0; }

  std::map<std::string, std::string> settings_;
};

}  // namespace

MUSTER_EXECUTOR_PLUGIN("unhealthy", "1.0", Moody)
