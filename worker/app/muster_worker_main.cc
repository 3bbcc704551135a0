// muster-worker: configuration, then the supervisor, and below it the server.
//
// Exit status: 0 after a clean end; 125 when it could not start or the master does not take it; 2 for wrong usage or
// configuration; 128 + signal when its server died.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/config/config.h"
#include "common/telemetry/log.h"
#include "worker/app/supervisor.h"
#include "worker/app/worker_app.h"
#include "worker/app/worker_config.h"

namespace muster::worker {
namespace {

constexpr int kCouldNot = 125;

int Fail(const std::string& message) {
  fprintf(stderr, "muster-worker: %s\n", message.c_str());
  return kCouldNot;
}

std::string ServingLine(const WorkerApp& app) {
  std::string line = "muster-worker: serving grpc=" + app.grpc_address();
  line += " http=" + (app.http_address().empty() ? std::string("off") : app.http_address());
  if (!app.health_address().empty()) line += " health=" + app.health_address();
  return line;
}

// Signals as a descriptor: none of them interrupts anything.
int SignalDescriptor() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGQUIT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Until the worker has ended. The first signal drains it, a second one hurries.
void WaitForEnd(WorkerApp* app, int signals, int ended, absl::Duration drain_timeout) {
  bool draining = false;
  while (true) {
    pollfd watched[2] = {{signals, POLLIN, 0}, {ended, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) return;
    if (watched[1].revents != 0) return;
    signalfd_siginfo info{};
    while (read(signals, &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo == SIGHUP) continue;  // nothing is read again
      app->Drain(std::exchange(draining, true) ? absl::ZeroDuration() : drain_timeout);
    }
  }
}

int Serve(const WorkerConfig& config, FencePage* fence) {
  const int signals = SignalDescriptor();
  const int ended = eventfd(0, EFD_CLOEXEC);
  if (signals < 0 || ended < 0) return Fail("no descriptors for signals");
  if (const absl::Status logging = telemetry::StartLogging(config.log); !logging.ok()) {
    Fail(std::string(logging.message()));
    return 2;
  }
  int exit_code = kCouldNot;
  {
    auto app = WorkerApp::Start({.config = config,
                                 .version = MUSTER_VERSION,
                                 .fence = fence,
                                 .ended = [ended] { eventfd_write(ended, 1); }});
    if (!app.ok()) {
      telemetry::StopLogging();
      return Fail(std::string(app.status().message()));
    }
    fprintf(stderr, "%s\n", ServingLine(**app).c_str());
    WaitForEnd(app->get(), signals, ended, config.drain_timeout);
    (*app)->Stop();
    exit_code = (*app)->exit_code();
    if (const std::string words = (*app)->last_words(); !words.empty()) Fail(words);
  }
  telemetry::StopLogging();
  return exit_code;
}

int Main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // its own lines on stderr would hide ours; set it to DEBUG to see them
  // Debian's Abseil looks for lock cycles at every lock; that is for tests, and costs a daemon dearly.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  WorkerConfig config;
  config::Schema schema("muster-worker", "runs a cluster's commands on this machine");
  Declare(&config, &schema);
  const auto outcome = schema.Load(argc, argv, std::string("muster-worker ") + MUSTER_VERSION);
  if (!outcome.ok()) {
    Fail(std::string(outcome.status().message()));
    return 2;
  }
  if (outcome->done) return outcome->exit_code;
  if (const absl::Status status = Complete(&config, ShippedPluginDir()); !status.ok()) {
    Fail(std::string(status.message()));
    return 2;
  }
  return Supervise([&config](FencePage* fence) { return Serve(config, fence); });
}

}  // namespace
}  // namespace muster::worker

int main(int argc, char** argv) { return muster::worker::Main(argc, argv); }
