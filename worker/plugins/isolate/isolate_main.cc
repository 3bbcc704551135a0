// Runs one command in namespaces of its own; see isolate_plan.h for what it is told and what it says.
//
// Three processes, for the first one in a pid namespace cannot die of a signal, and takes none that it does not handle:
//
//   keeper    the worker's child, outside: waits, and ends as the command has ended
//   first     pid 1 inside: makes the view, takes in orphans, and takes everything with it when the command has ended
//   command   pid 2 inside
//
// Each dies with the one above it. The worker signals all that is in the cgroup: of these three only the command listens.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "worker/plugins/isolate/call_filter.h"
#include "worker/plugins/isolate/isolate_plan.h"
#include "worker/plugins/isolate/own_user.h"
#include "worker/plugins/isolate/private_view.h"

namespace muster::isolate {
namespace {

constexpr char kShell[] = "/bin/sh";
constexpr int kNotStarted = 127;
constexpr int kSignalBase = 128;

[[noreturn]] void Fail(Step step) {
  const Answer answer{step, errno};
  const ssize_t written = write(kAnswerFd, &answer, sizeof(answer));
  _exit(written == sizeof(answer) ? kNotStarted : kNotStarted + 1);
}

Plan ReadPlan() {
  std::string bytes;
  char buffer[16 * 1024];
  ssize_t got;
  while ((got = read(kPlanFd, buffer, sizeof(buffer))) > 0) bytes.append(buffer, static_cast<size_t>(got));
  close(kPlanFd);
  Plan plan;
  errno = EINVAL;
  if (got < 0 || !plan.Read(bytes)) Fail(Step::kPlan);
  return plan;
}

std::vector<char*> Pointers(std::vector<std::string>* texts) {
  std::vector<char*> pointers;
  for (std::string& text : *texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// As execvpe does, and as the executor does it without isolation.
[[noreturn]] void Execute(Plan* plan) {
  std::vector<char*> argv = Pointers(&plan->arguments);
  std::vector<char*> environment = Pointers(&plan->environment);
  int found_error = ENOENT;
  for (std::string& path : plan->candidates) {
    execve(path.c_str(), argv.data(), environment.data());
    if (errno == ENOEXEC) {
      std::string shell = kShell;
      std::vector<char*> words = {shell.data(), path.data()};
      words.insert(words.end(), argv.begin() + 1, argv.end());
      execve(kShell, words.data(), environment.data());
    }
    if (errno != ENOENT && errno != ENOTDIR) found_error = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = found_error;
  Fail(Step::kExec);
}

void SetSignals(int how) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(how, &all, nullptr);
}

[[noreturn]] void BeTheCommand(Plan* plan) {
  if (!DropRights(*plan)) Fail(Step::kUser);
  if (chdir(plan->directory.c_str()) < 0) Fail(Step::kDirectory);
  if (!FilterSystemCalls()) Fail(Step::kFilter);
  SetSignals(SIG_UNBLOCK);
  Execute(plan);
}

void LetGoOfStreams() {
  for (const int fd : {0, 1, 2, kAnswerFd}) close(fd);
}

[[noreturn]] void BeTheFirst(Plan* plan, uid_t uid, gid_t gid, int report) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (plan->user_namespace && !MapOwnUser(uid, gid)) Fail(Step::kNamespaces);
  if (!MakePrivateView(*plan)) Fail(Step::kView);
  if (plan->no_network && !BringLoopbackUp()) Fail(Step::kNetwork);
  const pid_t command = fork();
  if (command < 0) Fail(Step::kNamespaces);
  if (command == 0) {
    close(report);
    BeTheCommand(plan);
  }
  LetGoOfStreams();
  while (true) {
    int status = 0;
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended < 0 && errno != EINTR) _exit(kNotStarted);
    if (ended != command) continue;
    const ssize_t written = write(report, &status, sizeof(status));
    _exit(written == sizeof(status) ? 0 : kNotStarted);
  }
}

// So that whoever waits for us learns what became of the command.
[[noreturn]] void EndAs(int status) {
  if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  signal(number, SIG_DFL);
  kill(getpid(), number);
  sigset_t this_one;  // alone: another that is pending would be told in its place
  sigemptyset(&this_one);
  sigaddset(&this_one, number);
  sigprocmask(SIG_UNBLOCK, &this_one, nullptr);
  _exit(kSignalBase + number);
}

[[noreturn]] void BeTheKeeper(pid_t first, int report) {
  LetGoOfStreams();
  int status = SIGKILL;  // as the first ended, when it could not say how the command has
  while (read(report, &status, sizeof(status)) < 0 && errno == EINTR) {
  }
  while (waitpid(first, nullptr, 0) < 0 && errno == EINTR) {
  }
  EndAs(status);
}

int Run() {
  SetSignals(SIG_BLOCK);
  Plan plan = ReadPlan();
  fcntl(kAnswerFd, F_SETFD, FD_CLOEXEC);
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) Fail(Step::kPlan);
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | SIGCHLD;
  if (plan.user_namespace) flags |= CLONE_NEWUSER;
  if (plan.no_network) flags |= CLONE_NEWNET;
  // Without a stack of its own it goes on with a copy of this one, as after fork.
  const pid_t first = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (first < 0) Fail(Step::kNamespaces);
  if (first == 0) {
    close(report[0]);
    BeTheFirst(&plan, uid, gid, report[1]);
  }
  close(report[1]);
  BeTheKeeper(first, report[0]);
}

}  // namespace
}  // namespace muster::isolate

int main() {
  if (fcntl(muster::isolate::kPlanFd, F_GETFD) < 0 || fcntl(muster::isolate::kAnswerFd, F_GETFD) < 0) {
    fprintf(stderr, "muster-isolate: it is started by muster-worker alone, for commands that are isolated\n");
    return 2;
  }
  return muster::isolate::Run();
}
