// muster dev: a master and workers as real processes on loopback, until Ctrl-C or until a given command has ended.
//
// Start: master, its address from the line that it prints, workers, all ACTIVE. Stop: the reverse. The data directory
// is a temporary one unless --data names another; logs lie in it.
#include <signal.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/processes.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr int kUsualPort = 7070;
constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr absl::Duration kMasterStopPatience = absl::Seconds(10);
// Longer than a worker's own drain timeout.
constexpr absl::Duration kWorkerStopPatience = absl::Seconds(40);
constexpr absl::Duration kPoll = absl::Milliseconds(10);

struct DevFlags {
  std::optional<int64_t> workers, port, slots;
  std::string data, master_config, worker_config;
  std::vector<std::string> master_flags, worker_flags;
  std::vector<std::string> command;
};

std::string FolderOfThisProgram() {
  char path[PATH_MAX] = {};
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  return length > 0 ? std::filesystem::path(std::string(path, static_cast<size_t>(length))).parent_path().string() : ".";
}

class DevCluster {
 public:
  DevCluster(Session& session, const DevFlags& flags) : session_(session), flags_(flags), programs_(FolderOfThisProgram()) {}
  ~DevCluster() { Stop(); }

  absl::Status Start() {
    MUSTER_RETURN_IF_ERROR(FindPrograms());
    MUSTER_RETURN_IF_ERROR(MakeDirectory());
    MUSTER_RETURN_IF_ERROR(StartMaster());
    for (int64_t i = 1; i <= flags_.workers.value_or(3); ++i) MUSTER_RETURN_IF_ERROR(StartWorker(absl::StrCat("w", i)));
    return AwaitWorkers();
  }

  const std::string& address() const { return address_; }
  const std::string& directory() const { return directory_; }
  const std::string& programs() const { return programs_; }
  bool is_temporary() const { return temporary_; }

  // A daemon that has ended although nobody asked it to; empty: all run.
  std::string FirstEnded() {
    if (master_ != nullptr && master_->Poll()) {
      master_ended_ = true;
      return absl::StrCat("the master ended with ", *master_->Poll(), Tail("master"));
    }
    for (auto& [name, worker] : workers_) {
      if (worker == nullptr || !worker->Poll()) continue;
      const int code = *worker->Poll();
      worker.reset();
      return absl::StrCat("worker ", name, " ended with ", code, Tail(name));
    }
    return "";
  }
  bool master_ended() const { return master_ended_; }

  // Workers first, so that the master hears how their commands ended. False: something had to be killed.
  bool Stop() {
    bool in_order = true;
    for (auto& [name, worker] : workers_) {
      if (worker != nullptr) worker->Signal(SIGTERM);
    }
    const absl::Time until = absl::Now() + kWorkerStopPatience;
    for (auto& [name, worker] : workers_) {
      if (worker != nullptr) in_order = worker->Stop(SIGTERM, until - absl::Now()) != 128 + SIGKILL && in_order;
    }
    workers_.clear();
    if (master_ != nullptr) in_order = master_->Stop(SIGTERM, kMasterStopPatience) != 128 + SIGKILL && in_order;
    master_.reset();
    std::error_code ignored;
    if (temporary_ && started_) std::filesystem::remove_all(directory_, ignored);
    temporary_ = false;
    return in_order;
  }

 private:
  std::string LogFile(const std::string& name) const { return absl::StrCat(directory_, "/", name, ".log"); }
  std::string Tail(const std::string& name) const {
    const std::string tail = TailOf(LogFile(name), 5);
    return absl::StrCat("; see ", LogFile(name), tail.empty() ? "" : absl::StrCat("\n", tail));
  }

  absl::Status FindPrograms() {
    for (const char* name : {"muster-master", "muster-worker"}) {
      if (access(absl::StrCat(programs_, "/", name).c_str(), X_OK) != 0) {
        return absl::NotFoundError(absl::StrCat("no ", name, " beside this program in ", programs_, "; build it first (`./quickstart`)"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status MakeDirectory() {
    std::error_code error;
    if (!flags_.data.empty()) {
      directory_ = std::filesystem::absolute(flags_.data, error).string();
      std::filesystem::create_directories(directory_, error);
      if (error) return UsageError(absl::StrCat("--data: cannot make ", flags_.data, ": ", error.message()));
      for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
        // Each start tells its address in a log of its own.
        if (entry.path().extension() == ".log") std::filesystem::rename(entry.path(), entry.path().string() + ".before", error);
      }
      return absl::OkStatus();
    }
    std::string path = absl::StrCat(std::filesystem::temp_directory_path(error).string(), "/muster-dev-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) return absl::InternalError(absl::StrCat("cannot make a directory ", path));
    directory_ = path;
    temporary_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> AwaitServing(Process& process, const std::string& name) {
    const absl::Time until = absl::Now() + kStartPatience;
    while (absl::Now() < until) {
      const std::string address = ServingAddressIn(LogFile(name), "grpc");
      if (!address.empty()) return address;
      if (const std::optional<int> code = process.Poll()) {
        return absl::FailedPreconditionError(absl::StrCat(name, " did not start (exit code ", *code, ")", Tail(name)));
      }
      MUSTER_RETURN_IF_ERROR(Pause());
    }
    return absl::FailedPreconditionError(absl::StrCat(name, " does not serve after ", absl::FormatDuration(kStartPatience), Tail(name)));
  }

  absl::Status Pause() {
    const int signal = session_.HandleInterrupts().WaitFor(kPoll);
    return signal == 0 ? absl::OkStatus() : Interrupted(signal);
  }

  absl::Status StartMaster() {
    int64_t port = flags_.port.value_or(flags_.command.empty() ? kUsualPort : 0);
    if (!flags_.port && port != 0 && !PortIsFree(static_cast<int>(port))) {
      session_.terminal().Say(absl::StrCat("port ", port, " is taken; using a free one"));
      port = 0;
    }
    ProcessOptions options;
    options.argv = {programs_ + "/muster-master"};
    if (!flags_.master_config.empty()) options.argv.push_back(absl::StrCat("--config=", flags_.master_config));
    options.argv.push_back(absl::StrCat("--grpc.listen=127.0.0.1:", port));
    options.argv.push_back("--http.listen=127.0.0.1:0");
    options.argv.push_back(absl::StrCat("--store.path=", directory_, "/master"));
    options.argv.insert(options.argv.end(), flags_.master_flags.begin(), flags_.master_flags.end());
    options.log_file = LogFile("master");
    options.own_session = true;
    MUSTER_ASSIGN_OR_RETURN(master_, Process::Start(options));
    MUSTER_ASSIGN_OR_RETURN(address_, AwaitServing(*master_, "master"));
    return absl::OkStatus();
  }

  absl::Status StartWorker(const std::string& name) {
    ProcessOptions options;
    options.argv = {programs_ + "/muster-worker"};
    if (!flags_.worker_config.empty()) options.argv.push_back(absl::StrCat("--config=", flags_.worker_config));
    for (const std::string& flag : {absl::StrCat("--name=", name), absl::StrCat("--master=", address_), std::string("--grpc.listen=127.0.0.1:0"),
                                    std::string("--http.listen=127.0.0.1:0"), absl::StrCat("--work_dir=", directory_, "/", name)}) {
      options.argv.push_back(flag);
    }
    if (flags_.slots) options.argv.push_back(absl::StrCat("--slots=", *flags_.slots));
    options.argv.insert(options.argv.end(), flags_.worker_flags.begin(), flags_.worker_flags.end());
    options.log_file = LogFile(name);
    options.own_session = true;
    MUSTER_ASSIGN_OR_RETURN(std::unique_ptr<Process> worker, Process::Start(options));
    workers_.emplace_back(name, std::move(worker));
    return absl::OkStatus();
  }

  absl::Status AwaitWorkers() {
    for (auto& [name, worker] : workers_) MUSTER_RETURN_IF_ERROR(AwaitServing(*worker, name).status());
    MUSTER_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Make({.master = address_}, &session_.HandleInterrupts()));
    const absl::Time until = absl::Now() + kStartPatience;
    size_t active = 0;
    while (absl::Now() < until) {
      MUSTER_ASSIGN_OR_RETURN(const v1::ListWorkersResponse response, client->ListWorkers({}));
      active = 0;
      for (const v1::Worker& worker : response.workers()) active += worker.state() == v1::WORKER_STATE_ACTIVE ? 1 : 0;
      if (active >= workers_.size()) {
        started_ = true;
        return absl::OkStatus();
      }
      const std::string ended = FirstEnded();
      if (!ended.empty()) return absl::FailedPreconditionError(ended);
      MUSTER_RETURN_IF_ERROR(Pause());
    }
    return absl::FailedPreconditionError(absl::StrCat("only ", active, " of ", workers_.size(), " workers are active; the logs are in ", directory_));
  }

  Session& session_;
  const DevFlags& flags_;
  const std::string programs_;
  std::string directory_, address_;
  bool temporary_ = false, started_ = false, master_ended_ = false;
  std::unique_ptr<Process> master_;
  std::vector<std::pair<std::string, std::unique_ptr<Process>>> workers_;
};

int RunCommand(Session& session, DevCluster& cluster, const std::vector<std::string>& argv) {
  const char* path = std::getenv("PATH");
  ProcessOptions options;
  options.argv = argv;
  options.environment = {{"MUSTER_MASTER", cluster.address()},
                         {"MUSTER_DEV_DIR", cluster.directory()},
                         {"PATH", absl::StrCat(cluster.programs(), ":", path != nullptr ? path : "/usr/bin:/bin")}};
  absl::StatusOr<std::unique_ptr<Process>> command = Process::Start(options);
  if (!command.ok()) {
    session.terminal().Say(std::string(command.status().message()));
    return command.status().code() == absl::StatusCode::kNotFound ? 127 : 126;
  }
  bool told = false;
  while (true) {
    if (const std::optional<int> code = (*command)->Poll()) return *code;
    const std::string ended = told ? "" : cluster.FirstEnded();
    if (!ended.empty()) session.terminal().Say(ended);
    told = cluster.master_ended();
    // A Ctrl-C of the terminal reaches the command by itself; a signal sent to us alone has to be passed on.
    if (const int signal = session.HandleInterrupts().WaitFor(kPoll)) (*command)->Signal(signal);
  }
}

void Welcome(Session& session, const DevCluster& cluster, int64_t workers) {
  Terminal& terminal = session.terminal();
  terminal.Say(absl::StrCat("a master and ", workers, workers == 1 ? " worker serve" : " workers serve", " on ", cluster.address(),
                            "; data and logs in ", cluster.directory(), cluster.is_temporary() ? " (removed at the end)" : ""));
  const bool usual = cluster.address() == "127.0.0.1:7070";
  if (!usual) terminal.Say(absl::StrCat("in another terminal: export MUSTER_MASTER=", cluster.address()));
  terminal.Say(absl::StrCat(usual ? "in another terminal: " : "then: ", "muster run -- uname -a; muster workers; muster map -- echo {} ::: 1 2 3"));
  terminal.Say("Ctrl-C stops it");
}

absl::StatusOr<int> Dev(Session& session, const DevFlags& flags) {
  const int64_t workers = flags.workers.value_or(3);
  if (workers < 1 || workers > 1000) return UsageError(absl::StrCat("--workers: ", workers, " is not within 1..1000"));
  if (flags.port && (*flags.port < 0 || *flags.port > 65535)) return UsageError(absl::StrCat("--port: ", *flags.port, " is no port"));
  Interrupts& interrupts = session.HandleInterrupts();
  DevCluster cluster(session, flags);
  MUSTER_RETURN_IF_ERROR(cluster.Start());
  if (!flags.command.empty()) {
    const int code = RunCommand(session, cluster, flags.command);
    cluster.Stop();
    return code;
  }
  Welcome(session, cluster, workers);
  int code = 0;
  while (interrupts.WaitFor(absl::Milliseconds(200)) == 0) {
    const std::string ended = cluster.FirstEnded();
    if (ended.empty()) continue;
    session.terminal().Say(ended);
    if (cluster.master_ended()) {
      code = kExitFailed;
      break;
    }
  }
  session.terminal().Say("stopping: workers, then the master");
  if (!cluster.Stop()) session.terminal().Say("some had to be killed");
  return code;
}

}  // namespace

Action SetUpDev(Flags& flags) {
  auto values = std::make_shared<DevFlags>();
  flags.Usage("dev [flags] [-- CMD...]");
  flags.TakesCommand(&values->command, /*bare=*/false);
  flags.Number("--workers", &values->workers, "N", "How many workers, w1..wN (default 3).");
  flags.Number("--port", &values->port, "P", "The master's port (default 7070, or a free one with CMD; 0: a free one).");
  flags.Number("--slots", &values->slots, "N", "Slots of each worker (default: the cores).");
  flags.Text("--data", &values->data, "DIR", "Keep the store and the logs there (default: a temporary directory).");
  flags.Text("--master-config", &values->master_config, "FILE", "The master's configuration.");
  flags.Text("--worker-config", &values->worker_config, "FILE", "The workers' configuration.");
  flags.Texts("--master-flag", &values->master_flags, "--KEY=VAL", "A flag for the master (--master-flag=--log.level=debug).");
  flags.Texts("--worker-flag", &values->worker_flags, "--KEY=VAL", "A flag for each worker.");
  flags.Examples(
      "  muster dev                                          until Ctrl-C\n"
      "  muster dev -- sh -c 'muster map -- echo {} ::: 1 2'  with MUSTER_MASTER set, then stops; exits with CMD's status");
  return [values](Session& session) { return Dev(session, *values); };
}

}  // namespace muster::cli
