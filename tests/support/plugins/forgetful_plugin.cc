// Does what its first argument says: "throw" throws from Execute, "null" gives nothing, "stubborn" ends only by
// Kill, "names" counts under more names than there may be, "chatty" logs without end.
#include <atomic>
#include <stdexcept>
#include <string>

#include "worker/plugin_api/executor.h"

namespace {

using namespace muster::plugin;  // NOLINT: a small test plugin

class Stubborn final : public Execution {
 public:
  explicit Stubborn(Context* context) : context_(context) {}
  void Stop() override {}
  void Kill() override {
    if (ended_.exchange(true)) return;
    Result result;
    result.reason = EndReason::kSignaled;
    result.signal = 9;
    context_->Finish(result);
  }
  void OutputRoom(Stream) override {}

 private:
  Context* const context_;
  std::atomic<bool> ended_{false};
};

class Forgetful final : public Executor {
 public:
  explicit Forgetful(const Options&) {}

  std::unique_ptr<Execution> Execute(const Request& request, Context* context) override {
    const std::string what = request.arguments.empty() ? "" : request.arguments[0];
    if (what == "throw") throw std::runtime_error("out of ideas");
    if (what == "null") return nullptr;
    context->Started();
    if (what == "stubborn") return std::make_unique<Stubborn>(context);
    for (int i = 0; what == "names" && i < 40; ++i) context->Count("name_" + std::to_string(i), 1);
    if (what == "names") context->Count("Not A Name", 1);
    for (int i = 0; what == "chatty" && i < 5000; ++i) context->Log(Severity::kInfo, "again", {});
    Result result;
    result.by_itself = true;
    context->Finish(result);
    context->Finish(result);  // once too often
    return std::make_unique<Stubborn>(context);
  }
  Capabilities GetCapabilities() override { return {}; }
  Health CheckHealth() override { return {}; }
};

}  // namespace

MUSTER_EXECUTOR_PLUGIN("forgetful", "1.0", Forgetful)
