// The complete example of docs/plugins.md: an executor that greets whoever its arguments name.
#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "worker/plugin_api/executor.h"

namespace {

using muster::plugin::Capabilities;
using muster::plugin::Context;
using muster::plugin::Execution;
using muster::plugin::Executor;
using muster::plugin::Health;
using muster::plugin::Options;
using muster::plugin::Request;
using muster::plugin::Result;
using muster::plugin::Severity;
using muster::plugin::Stream;

// One attempt: a thread of its own, which is enough for an example. The host destroys this after Finish, on a thread
// of its own, so that joining here is safe.
class Greeting final : public Execution {
 public:
  Greeting(Request request, std::string word, Context* context)
      : request_(std::move(request)), word_(std::move(word)), context_(context), thread_([this] { Run(); }) {}
  ~Greeting() override { thread_.join(); }

  void Stop() override { stopped_ = true; }
  void Kill() override { stopped_ = true; }
  void OutputRoom(Stream) override {}

 private:
  void Run() {
    context_->Started();
    Result result;
    for (const std::string& name : request_.arguments) {
      if (stopped_) result.exit_code = 1;
      if (stopped_) break;
      const std::string line = word_ + ", " + name + "!\n";
      if (context_->Output(Stream::kStdout, line) < line.size()) {
        context_->Log(Severity::kWarning, "a greeting was cut short", {{"name", name}});
      }
      context_->Count("greetings", 1);
    }
    result.by_itself = !stopped_;
    context_->Finish(std::move(result));
  }

  const Request request_;
  const std::string word_;
  Context* const context_;
  std::atomic<bool> stopped_{false};
  std::thread thread_;  // last: it uses the others
};

class Greeter final : public Executor {
 public:
  explicit Greeter(const Options& options) {
    const auto word = options.settings.find("word");
    if (word != options.settings.end()) word_ = word->second;
    if (word_.empty()) throw std::invalid_argument("word: must not be empty");
  }

  std::unique_ptr<Execution> Execute(const Request& request, Context* context) override {
    return std::make_unique<Greeting>(request, word_, context);
  }
  Capabilities GetCapabilities() override {
    Capabilities capabilities;
    capabilities.names = {"greeting"};
    capabilities.wants_task_directory = false;
    return capabilities;
  }
  Health CheckHealth() override { return {}; }

 private:
  std::string word_ = "Hello";
};

}  // namespace

MUSTER_EXECUTOR_PLUGIN("greet", "1.0", Greeter)
