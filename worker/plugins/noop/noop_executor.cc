#include "worker/plugins/noop/noop_executor.h"

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "worker/plugins/noop/parameters.h"
#include "worker/plugins/noop/sleep_loop.h"

namespace muster::noop {
namespace {

constexpr char kSchema[] =
    R"({"type":"object","additionalProperties":false,"properties":{)"
    R"("exit_code":{"type":"integer","minimum":0,"maximum":255},)"
    R"("sleep_ms":{"type":"integer","minimum":0},"output_bytes":{"type":"integer","minimum":0}}})";

class Done final : public plugin::Execution {
 public:
  void Stop() override {}
  void Kill() override {}
  void OutputRoom(plugin::Stream) override {}
};

class Handle final : public plugin::Execution {
 public:
  explicit Handle(std::shared_ptr<NoopRun> run) : run_(std::move(run)) {}
  void Stop() override { run_->Stop(SIGTERM); }
  void Kill() override { run_->Stop(SIGKILL); }
  void OutputRoom(plugin::Stream) override { run_->Advance(); }

 private:
  const std::shared_ptr<NoopRun> run_;
};

}  // namespace

NoopExecutor::NoopExecutor(const plugin::Options&) : sleepers_(std::make_shared<SleepLoop>()) {}
NoopExecutor::~NoopExecutor() = default;

std::unique_ptr<plugin::Execution> NoopExecutor::Execute(const plugin::Request& request, plugin::Context* context) {
  Parameters parameters;
  std::string problem;
  if (!ParseParameters(request.parameters_json, &parameters, &problem)) {
    plugin::Result result;
    result.reason = plugin::EndReason::kStartFailed;
    result.start_errno = EINVAL;
    result.message = "parameters: " + problem;
    context->Finish(std::move(result));
    return std::make_unique<Done>();
  }
  context->Started();
  if (parameters.sleep_ms == 0 && parameters.output_bytes == 0) {
    plugin::Result result;
    result.exit_code = parameters.exit_code;
    result.by_itself = true;
    context->Finish(std::move(result));
    return std::make_unique<Done>();
  }
  auto run = std::make_shared<NoopRun>(parameters, context);
  if (parameters.sleep_ms > 0) {
    sleepers_->WakeAt(run->due(), run);
  } else {
    run->Advance();
  }
  return std::make_unique<Handle>(std::move(run));
}

plugin::Capabilities NoopExecutor::GetCapabilities() {
  plugin::Capabilities capabilities;
  capabilities.names = {"noop"};
  capabilities.parameter_schema = kSchema;
  capabilities.wants_task_directory = false;
  return capabilities;
}

}  // namespace muster::noop
