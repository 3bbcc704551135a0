// Says more than a master would take, in the way that its setting `says` names.
#include <memory>
#include <string>

#include "worker/plugin_api/executor.h"

namespace {

using namespace muster::plugin;  // NOLINT: a small test plugin

class Talkative final : public Executor {
 public:
  explicit Talkative(const Options& options) {
    const auto says = options.settings.find("says");
    if (says != options.settings.end()) says_ = says->second;
  }

  std::unique_ptr<Execution> Execute(const Request&, Context*) override { return nullptr; }
  Capabilities GetCapabilities() override {
    Capabilities capabilities;
    capabilities.names = {"talking"};
    if (says_ == "many") capabilities.names.resize(300, "again");
    if (says_ == "long") capabilities.names = {std::string(10'000, 'x')};
    if (says_ == "bytes") capabilities.names = {"\xff\xfe"};
    if (says_ == "schema") capabilities.parameter_schema.resize(100'000, ' ');
    if (says_ == "note") capabilities.note.resize(100'000, '\n');
    return capabilities;
  }
  Health CheckHealth() override {
    if (says_ == "reason") return {false, std::string(100'000, '\n')};
    return {};
  }

 private:
  std::string says_;
};

}  // namespace

MUSTER_EXECUTOR_PLUGIN("talkative", "1.0", Talkative)
