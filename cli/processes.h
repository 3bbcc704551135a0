// Children of `muster dev`: started with their stderr in a file, gone when we go, stopped in order.
//
// Thread rule: the main thread. Ownership: a Process that is destroyed kills what still runs. Start forks before
// threads matter: between fork and exec only async-signal-safe calls.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace muster::cli {

struct ProcessOptions {
  std::vector<std::string> argv;  // argv[0] is a path
  // stdout and stderr go there; empty: ours.
  std::string log_file;
  // Of its own session, so that a Ctrl-C of the terminal does not reach it.
  bool own_session = false;
  std::vector<std::pair<std::string, std::string>> environment;  // on top of ours
};

class Process {
 public:
  static absl::StatusOr<std::unique_ptr<Process>> Start(const ProcessOptions& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  // The exit code as a shell would tell it (128+N for a signal) once it has ended.
  std::optional<int> Poll();
  void Signal(int number);
  // Sends the signal, waits, kills after the patience. The exit code.
  int Stop(int number, absl::Duration patience);

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  const pid_t pid_;
  std::optional<int> code_;
};

// A free TCP port on loopback right now; `wanted` when that is free.
bool PortIsFree(int port);

// The value of `key` in "NAME: serving grpc=127.0.0.1:7070 http=127.0.0.1:7080"; empty when the line is another.
std::string ServingAddress(const std::string& line, const std::string& key);
// The same, looked for in a log file.
std::string ServingAddressIn(const std::string& log_file, const std::string& key);
// The last lines of a file.
std::string TailOf(const std::string& file, size_t lines);

}  // namespace muster::cli
