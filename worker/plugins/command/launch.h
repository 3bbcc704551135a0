// What a command needs to be started, made ready ahead: arguments, environment, the paths to try, the script's file.
// The child only reads it.
//
// Thread rule: a value, used by one thread. Ownership: owns all strings that its pointers show. Errors: an errno and
// words, for a report of START_FAILED.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "worker/plugin_api/executor.h"
#include "worker/plugins/command/users.h"

namespace muster::command {

struct EnvironmentDefaults {
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  std::string home = "/";
  std::string lang = "C.UTF-8";
};

class Launch {
 public:
  Launch(const plugin::Request& request, const EnvironmentDefaults& defaults);

  // Writes the script's file, if there is one, and gives it and the task's directory to whom it runs as (null: they stay
  // ours). False: see error and message.
  bool Prepare(const User* user);

  char* const* argv() { return argv_.data(); }
  char* const* environment() { return environment_.data(); }
  const char* const* candidates() const { return candidates_.data(); }
  char** interpreter_argv() { return interpreter_argv_.data(); }
  const std::string& directory() const { return directory_; }
  const std::vector<std::string>& arguments() const { return arguments_; }
  const std::vector<std::string>& variables() const { return variables_; }
  const std::vector<std::string>& paths() const { return paths_; }
  const std::string& program() const { return arguments_.front(); }
  // A NAME=VALUE of the environment that no other attempt has.
  const std::string& mark() const { return mark_; }
  int error() const { return error_; }
  const std::string& message() const { return message_; }

 private:
  void SetArguments(const plugin::Request& request);
  void SetEnvironment(const plugin::Request& request, const EnvironmentDefaults& defaults);
  void SetCandidates();
  bool WriteScript();
  bool GiveTo(const User& user);
  bool Fail(int error, std::string message);

  std::string directory_, task_directory_, mark_, script_path_, script_content_, search_path_;
  std::vector<std::string> arguments_, variables_, paths_;
  std::vector<char*> argv_, environment_, interpreter_argv_;
  std::vector<const char*> candidates_;
  int error_ = 0;
  std::string message_;
};

}  // namespace muster::command
