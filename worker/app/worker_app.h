// The composition root of muster-worker's server: builds the parts in dependency order, and takes them down in
// exactly the reverse.
//
//   auto app = WorkerApp::Start(config, fence_page);
//   app->Drain(deadline);  app->WaitUntilEnded(...);  app->Stop();  app->exit_code();
//
// Thread rule: one thread, but Drain and ended from any. Errors: Start's are one line each, naming the key or file.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/app/fence_page.h"
#include "worker/app/worker_config.h"
#include "worker/execution/execution_host.h"

namespace muster::worker {

class WorkerApp {
 public:
  using HostFactory = std::function<absl::StatusOr<std::unique_ptr<execution::ExecutionHost>>(
      execution::HostConfig, execution::Listener*)>;

  struct Options {
    WorkerConfig config;  // completed
    std::string version;
    FencePage* fence = nullptr;  // outlives the app
    HostFactory make_host = &execution::ExecutionHost::Create;
    absl::Duration name_patience = absl::Seconds(7);
    std::function<void()> ended;  // any thread, once: WaitUntilEnded would return
  };
  static absl::StatusOr<std::unique_ptr<WorkerApp>> Start(Options options);
  virtual ~WorkerApp() = default;

  virtual std::string grpc_address() const = 0;
  virtual std::string http_address() const = 0;    // "" when it is off
  virtual std::string health_address() const = 0;  // "" when it is off

  // No new work; what runs may finish for so long. Again with a shorter time: faster.
  virtual void Drain(absl::Duration timeout) = 0;
  // Drained, or the master refused it. False: not within the wait.
  virtual bool WaitUntilEnded(absl::Duration wait) = 0;
  virtual void Stop() = 0;

  // After the end: what the process exits with, and what it says on stderr ("" : nothing).
  virtual int exit_code() const = 0;
  virtual std::string last_words() const = 0;
};

}  // namespace muster::worker
