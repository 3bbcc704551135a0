// muster-master: reads its configuration, runs one Master, and stops it on SIGTERM or SIGINT. With one of the store's
// commands (store_commands.h) or `policy` (policy_command.h) as its first word it does that instead.
//
// Exit status: 0 after a clean end; 125 when it could not start; 1 when it had to give up; 2 for wrong usage or
// configuration.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/config/config.h"
#include "common/telemetry/log.h"
#include "master/app/master.h"
#include "master/app/master_config.h"
#include "master/app/policy_command.h"
#include "master/app/stop_deadline.h"
#include "master/app/store_commands.h"

namespace {

using muster::master::Master;

constexpr int kCouldNotStart = 125;
constexpr absl::Duration kStopWithin = absl::Milliseconds(4800);

int Fail(const absl::Status& status, int code) {
  muster::telemetry::StopLogging();
  std::fprintf(stderr, "muster-master: error: %s\n", std::string(status.message()).c_str());
  return code;
}

// Blocked in every thread, so that only WaitForSignal takes them.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

std::string WaitForSignal(const sigset_t& signals) {
  int number = 0;
  sigwait(&signals, &number);
  return number == SIGINT ? "SIGINT" : "SIGTERM";
}

[[noreturn]] void Die(const absl::Status& status) {
  std::fprintf(stderr, "muster-master: error: %s\n", std::string(status.message()).c_str());
  _exit(1);
}

void SayServing(const Master& master) {
  std::string line = absl::StrCat("muster-master: serving grpc=", master.grpc_address(), " http=", master.http_address());
  if (!master.health_address().empty()) absl::StrAppend(&line, " health=", master.health_address());
  std::fprintf(stderr, "%s\n", line.c_str());
}

int Run(const muster::master::MasterConfig& config) {
  const sigset_t signals = BlockSignals();
  if (const absl::Status logging = muster::telemetry::StartLogging(config.log); !logging.ok()) return Fail(logging, 2);
  auto master = Master::Start(config, MUSTER_VERSION,
                              {.on_stop_request = [] { kill(getpid(), SIGTERM); }, .on_fatal = &Die});
  if (!master.ok()) return Fail(master.status(), kCouldNotStart);
  SayServing(**master);
  const std::string signal = WaitForSignal(signals);
  const std::string asked = (*master)->stop_reason();
  const muster::master::StopDeadline deadline(kStopWithin);
  const absl::Status stopped = (*master)->Stop(asked.empty() ? signal : asked);
  master->reset();
  if (!stopped.ok()) return Fail(stopped, 1);
  muster::telemetry::StopLogging();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // Debian's Abseil looks for lock cycles at every lock; that is for tests, and costs a daemon dearly.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  setenv("GRPC_VERBOSITY", "NONE", 0);  // its own lines on stderr would hide ours; set it to DEBUG to see them
  if (argc > 1 && muster::master::IsStoreCommand(argv[1])) return muster::master::RunStoreCommand(argc - 1, argv + 1);
  if (argc > 1 && muster::master::IsPolicyCommand(argv[1])) return muster::master::RunPolicyCommand(argc - 1, argv + 1);
  muster::master::MasterConfig config;
  config.log.program = "muster-master";
  muster::config::Schema schema("muster-master",
                                "The master of a muster cluster: accepts tasks and sends them to workers. Its store is "
                                "looked after by `muster-master check|backup|restore|salvage --help`, its policy tried out by "
                                "`muster-master policy --help`.");
  muster::master::Declare(&config, &schema);
  const auto loaded = schema.Load(argc, argv, absl::StrCat("muster-master ", MUSTER_VERSION));
  if (!loaded.ok()) return Fail(loaded.status(), 2);
  if (loaded->done) return loaded->exit_code;
  return Run(config);
}
