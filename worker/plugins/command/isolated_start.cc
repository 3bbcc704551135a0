#include "worker/plugins/command/isolated_start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/plugins/command/descriptor.h"

namespace muster::command {
namespace {

constexpr int kPatienceMillis = 30'000;  // a file system that hangs holds the start up

Descriptor WriteDown(const isolate::Plan& plan) {
  Descriptor file(memfd_create("muster-isolate", MFD_CLOEXEC));
  const std::string bytes = plan.Write();
  for (size_t at = 0; file.valid() && at < bytes.size();) {
    const ssize_t wrote = write(file.get(), bytes.data() + at, bytes.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Descriptor();
    at += static_cast<size_t>(wrote);
  }
  if (file.valid()) lseek(file.get(), 0, SEEK_SET);
  return file;
}

// Error 0: the command runs.
isolate::Answer Listen(int pipe) {
  isolate::Answer answer;
  pollfd ready{pipe, POLLIN, 0};
  int polled;
  while ((polled = poll(&ready, 1, kPatienceMillis)) < 0 && errno == EINTR) {
  }
  if (polled == 0) return {isolate::Step::kView, ETIMEDOUT};
  const ssize_t got = read(pipe, &answer, sizeof(answer));
  if (got == static_cast<ssize_t>(sizeof(answer))) return answer;
  return {isolate::Step::kPlan, got == 0 ? 0 : EIO};
}

// It ends by itself, after all that it has started, unless it hangs.
void Reap(bool hangs, ChildOutcome* child) {
  if (hangs) syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, nullptr, 0);
  siginfo_t info;
  while (waitid(P_PID, static_cast<id_t>(child->pid), &info, WEXITED) < 0 && errno == EINTR) {
  }
  close(child->pidfd);
  child->pidfd = -1;
}

}  // namespace

ChildOutcome StartIsolated(const std::string& program, const isolate::Plan& isolated, ChildPlan plan, const ChildStack& stack,
                           std::string* problem) {
  ChildOutcome child;
  int ends[2];
  const Descriptor written = WriteDown(isolated);
  if (!written.valid() || pipe2(ends, O_CLOEXEC) < 0) {
    child.error = errno;
    return child;
  }
  const Descriptor answers(ends[0]);
  Descriptor answering(ends[1]);
  char name[] = "muster-isolate";
  char* const argv[] = {name, nullptr};
  char* no_interpreter[] = {name, nullptr, nullptr};
  const char* const candidates[] = {program.c_str(), nullptr};
  // None of the command's own: the program is not the command's yet, and may be root.
  std::string mark = "MUSTER_TASK_DIR=" + isolated.task_directory;
  char* const environment[] = {mark.data(), nullptr};
  plan.argv = argv;
  plan.environment = environment;
  plan.candidates = candidates;
  plan.interpreter_argv = no_interpreter;
  plan.directory = "/";
  plan.more_fds[0] = written.get();
  plan.more_fds[1] = answering.get();
  child = StartChild(plan, stack);
  answering.Close();
  if (child.error != 0) {
    *problem = program + ": " + ChildStepName(child.step) + ": " + strerror(child.error);
    return child;
  }
  const isolate::Answer answer = Listen(answers.get());
  if (answer.error == 0) return child;
  Reap(answer.error == ETIMEDOUT, &child);
  child.error = answer.error;
  child.step = answer.step == isolate::Step::kExec ? ChildStep::kExec : ChildStep::kDirectory;
  if (answer.step != isolate::Step::kExec && answer.step != isolate::Step::kDirectory) {
    *problem = std::string("isolation: ") + StepName(answer.step) + ": " + strerror(answer.error);
  }
  return child;
}

}  // namespace muster::command
