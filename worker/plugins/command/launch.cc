#include "worker/plugins/command/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <unordered_map>

#include "worker/plugins/command/descriptor.h"

namespace muster::command {
namespace {

char kShell[] = "/bin/sh";

std::string BaseName(const std::string& name) {
  const size_t slash = name.rfind('/');
  std::string base = slash == std::string::npos ? name : name.substr(slash + 1);
  return base.empty() || base == "." || base == ".." ? "script" : base;
}

std::string Join(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += word;
  }
  return line;
}

std::vector<char*> Pointers(std::vector<std::string>* strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings->size() + 1);
  for (std::string& one : *strings) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Launch::Launch(const plugin::Request& request, const EnvironmentDefaults& defaults) {
  const plugin::Command& command = request.command;
  directory_ = command.working_directory.empty() ? request.task_directory : command.working_directory;
  if (directory_.empty()) directory_ = "/";
  task_directory_ = request.task_directory;
  if (!command.script_content.empty() || !command.script_name.empty()) {
    script_path_ = request.task_directory + "/" + BaseName(command.script_name);
    script_content_ = command.script_content;
  }
  SetArguments(request);
  SetEnvironment(request, defaults);
  SetCandidates();
  argv_ = Pointers(&arguments_);
  environment_ = Pointers(&variables_);
  interpreter_argv_ = {kShell, nullptr};
  for (size_t i = 1; i < arguments_.size(); ++i) interpreter_argv_.push_back(arguments_[i].data());
  interpreter_argv_.push_back(nullptr);
}

void Launch::SetArguments(const plugin::Request& request) {
  const plugin::Command& command = request.command;
  if (!script_path_.empty()) {
    arguments_.push_back(script_path_);
    arguments_.insert(arguments_.end(), command.argv.begin(), command.argv.end());
  } else if (command.shell) {
    arguments_ = {kShell, "-c", Join(command.argv)};
  } else {
    arguments_ = command.argv;
  }
  if (arguments_.empty()) arguments_.emplace_back();  // is not found, as it should be
}

void Launch::SetEnvironment(const plugin::Request& request, const EnvironmentDefaults& defaults) {
  static std::atomic<uint64_t> counter{0};
  std::unordered_map<std::string, size_t> places;
  const auto set = [&](const std::string& name, const std::string& value) {
    const auto [place, added] = places.emplace(name, variables_.size());
    if (added) variables_.emplace_back();
    variables_[place->second] = name + "=" + value;
  };
  set("PATH", defaults.path);
  set("HOME", defaults.home);
  set("LANG", defaults.lang);
  for (const auto& [name, value] : request.command.environment) set(name, value);
  // What finds a descendant again when there are no cgroups; the directory's name is used once only.
  if (request.task_directory.empty()) {
    set("MUSTER_TASK_MARK", std::to_string(getpid()) + "-" + std::to_string(counter++));
    mark_ = variables_[places["MUSTER_TASK_MARK"]];
  } else {
    set("MUSTER_TASK_DIR", request.task_directory);
    mark_ = variables_[places["MUSTER_TASK_DIR"]];
  }
  search_path_ = variables_[places["PATH"]].substr(sizeof("PATH=") - 1);
}

void Launch::SetCandidates() {
  const std::string& program = arguments_.front();
  if (program.find('/') != std::string::npos) {
    paths_.push_back(program);
  } else if (!program.empty()) {
    for (size_t at = 0; at <= search_path_.size();) {
      size_t end = search_path_.find(':', at);
      if (end == std::string::npos) end = search_path_.size();
      const std::string entry = search_path_.substr(at, end - at);
      paths_.push_back(entry.empty() ? "./" + program : entry + "/" + program);
      at = end + 1;
    }
  }
  for (const std::string& path : paths_) candidates_.push_back(path.c_str());
  candidates_.push_back(nullptr);
}

bool Launch::Prepare(const User* user) {
  if (!script_path_.empty() && !WriteScript()) return false;
  return user == nullptr || GiveTo(*user);
}

// What lies above them is the worker's own, so nobody can have put links there.
bool Launch::GiveTo(const User& user) {
  for (const std::string& path : {task_directory_, script_path_}) {
    if (path.empty() || lchown(path.c_str(), user.uid, user.gid) == 0) continue;
    return Fail(errno, "giving " + path + " to its user: " + strerror(errno));
  }
  return true;
}

bool Launch::WriteScript() {
  Descriptor file(open(script_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0700));
  if (!file.valid()) return Fail(errno, "script " + script_path_ + ": " + strerror(errno));
  for (size_t at = 0; at < script_content_.size();) {
    const ssize_t wrote = write(file.get(), script_content_.data() + at, script_content_.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Fail(errno, "script " + script_path_ + ": " + strerror(errno));
    at += static_cast<size_t>(wrote);
  }
  return true;
}

bool Launch::Fail(int error, std::string message) {
  error_ = error;
  message_ = std::move(message);
  return false;
}

}  // namespace muster::command
