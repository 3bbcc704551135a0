#include "cli/processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"

extern char** environ;

namespace muster::cli {
namespace {

// Everything the child needs, made before the fork.
struct Image {
  std::vector<std::string> environment;
  std::vector<char*> argv, envp;

  explicit Image(const ProcessOptions& options) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      const std::string name = text.substr(0, text.find('='));
      const bool replaced = std::any_of(options.environment.begin(), options.environment.end(),
                                        [&](const auto& variable) { return variable.first == name; });
      if (!replaced) environment.push_back(text);
    }
    for (const auto& [name, value] : options.environment) environment.push_back(absl::StrCat(name, "=", value));
    for (const std::string& word : options.argv) argv.push_back(const_cast<char*>(word.c_str()));
    for (std::string& entry : environment) envp.push_back(entry.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
  }
};

[[noreturn]] void BecomeChild(const Image& image, pid_t parent, int log_fd, bool own_session, int error_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  if (own_session) setsid();
  // Whatever becomes of us, the cluster does not outlive us.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(125);
  if (log_fd >= 0) {
    dup2(log_fd, STDOUT_FILENO);
    dup2(log_fd, STDERR_FILENO);
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
  }
  execvpe(image.argv[0], image.argv.data(), image.envp.data());
  const int error = errno;
  [[maybe_unused]] ssize_t written = write(error_fd, &error, sizeof(error));
  _exit(error == ENOENT ? 127 : 126);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Process>> Process::Start(const ProcessOptions& options) {
  const Image image(options);
  int log_fd = -1;
  if (!options.log_file.empty()) {
    log_fd = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0) return absl::InternalError(absl::StrCat("cannot write ", options.log_file, ": ", std::strerror(errno)));
  }
  int error_pipe[2];
  if (pipe2(error_pipe, O_CLOEXEC) != 0) return absl::InternalError("cannot make a pipe");
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) BecomeChild(image, parent, log_fd, options.own_session, error_pipe[1]);
  close(error_pipe[1]);
  if (log_fd >= 0) close(log_fd);
  int error = pid < 0 ? errno : 0;
  if (pid > 0 && read(error_pipe[0], &error, sizeof(error)) == sizeof(error)) waitpid(pid, nullptr, 0);
  close(error_pipe[0]);
  if (error != 0) {
    const auto code = error == ENOENT ? absl::StatusCode::kNotFound : absl::StatusCode::kInternal;
    return absl::Status(code, absl::StrCat("cannot start ", options.argv[0], ": ", std::strerror(error)));
  }
  return std::unique_ptr<Process>(new Process(pid));
}

Process::~Process() {
  if (!Poll()) Stop(SIGKILL, absl::ZeroDuration());
}

std::optional<int> Process::Poll() {
  int status;
  if (!code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return code_;
}

void Process::Signal(int number) {
  if (!Poll()) kill(pid_, number);
}

int Process::Stop(int number, absl::Duration patience) {
  Signal(number);
  const absl::Time until = absl::Now() + patience;
  while (!Poll() && absl::Now() < until) absl::SleepFor(absl::Milliseconds(10));
  if (!code_) {
    kill(pid_, SIGKILL);
    int status;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    code_ = 128 + SIGKILL;
  }
  return *code_;
}

bool PortIsFree(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 && listen(fd, 1) == 0;
  close(fd);
  return is_free;
}

std::string ServingAddress(const std::string& line, const std::string& key) {
  const size_t serving = line.find(": serving ");
  if (serving == std::string::npos) return "";
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(line.substr(serving + 10), ' '))) {
    absl::string_view value = word;
    if (absl::ConsumePrefix(&value, absl::StrCat(key, "="))) return std::string(value);
  }
  return "";
}

std::string ServingAddressIn(const std::string& log_file, const std::string& key) {
  std::ifstream in(log_file);
  std::string found;
  for (std::string line; std::getline(in, line);) {
    if (in.eof()) break;  // not yet a whole line
    const std::string address = ServingAddress(line, key);
    if (!address.empty()) found = address;
  }
  return found;
}

std::string TailOf(const std::string& file, size_t lines) {
  std::ifstream in(file);
  std::vector<std::string> kept;
  for (std::string line; std::getline(in, line);) {
    kept.push_back(line);
    if (kept.size() > lines) kept.erase(kept.begin());
  }
  return absl::StrJoin(kept, "\n");
}

}  // namespace muster::cli
