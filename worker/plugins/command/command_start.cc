// The part of CommandRun that runs on a spawner thread.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "worker/plugins/command/command_run.h"

namespace muster::command {
namespace {

constexpr uint32_t kPidfdTag = 2;
constexpr int kBusyTries = 50;

bool MakePipe(Descriptor* read_end, Descriptor* write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return false;
  *read_end = Descriptor(fds[0]);
  *write_end = Descriptor(fds[1]);
  return fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

// A file without a name: no thread has to feed a pipe.
bool MakeInput(const std::string& bytes, Descriptor* input) {
  *input = Descriptor(memfd_create("muster-stdin", MFD_CLOEXEC));
  if (!input->valid()) return false;
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = write(input->get(), bytes.data() + at, bytes.size() - at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    at += static_cast<size_t>(wrote);
  }
  return lseek(input->get(), 0, SEEK_SET) == 0;
}

std::string StartProblem(const ChildOutcome& child, const Launch& launch) {
  if (child.step == ChildStep::kExec && child.error == ENOENT) return "program not found: " + launch.program();
  std::string where = ChildStepName(child.step);
  if (child.step == ChildStep::kExec) where = launch.program();
  if (child.step == ChildStep::kDirectory) where = "working directory " + launch.directory();
  return where + ": " + strerror(child.error);
}

void PauseAMillisecond() {
  timespec a_moment{0, 1'000'000};
  nanosleep(&a_moment, nullptr);
}

}  // namespace

bool CommandRun::WishedBeforeStart() {
  std::lock_guard<std::mutex> lock(mutex_);
  return wish_ != Wish::kNone;
}

void CommandRun::Begin(const ChildStack& stack, uint64_t ignored_signals) {
  if (WishedBeforeStart()) {
    plugin::Result result;
    result.reason = plugin::EndReason::kSignaled;
    result.signal = SIGKILL;
    result.message = "stopped before it started";
    return context_->Finish(std::move(result));
  }
  launch_ = std::make_unique<Launch>(request_, services_->environment);
  if (!launch_->Prepare()) return FailStart(launch_->error(), launch_->message());
  tree_ = services_->forest->Take();
  if (tree_ == nullptr) return FailStart(EAGAIN, "no cgroup can be made for it");
  if (request_.memory_limit_bytes > 0) {
    memory_limit_ = services_->memory->Take(tree_->BirthCgroupFd(), request_.memory_limit_bytes);
  }
  std::string problem;
  const ChildOutcome child = StartMain(stack, ignored_signals, &problem);
  if (child.error != 0) return FailStart(child.error, std::move(problem));
  pid_ = child.pid;
  pidfd_ = Descriptor(child.pidfd);
  tree_->SetMain(pid_, launch_->mark());
  launch_.reset();
  context_->Started();
  HandOver();
}

bool CommandRun::MakePipes(Descriptor* out, Descriptor* err, Descriptor* in) {
  if (!MakePipe(&pipes_[0].fd, out) || !MakePipe(&pipes_[1].fd, err)) return false;
  return request_.command.stdin_bytes.empty() || MakeInput(request_.command.stdin_bytes, in);
}

ChildOutcome CommandRun::StartMain(const ChildStack& stack, uint64_t ignored_signals, std::string* problem) {
  ChildOutcome child;
  Descriptor out, err, in;
  if (!MakePipes(&out, &err, &in)) {
    child.error = errno;
    *problem = std::string("no pipes: ") + strerror(child.error);
    return child;
  }
  ChildPlan plan;
  plan.argv = launch_->argv();
  plan.environment = launch_->environment();
  plan.candidates = launch_->candidates();
  plan.interpreter_argv = launch_->interpreter_argv();
  plan.directory = launch_->directory().c_str();
  plan.stdin_fd = in.valid() ? in.get() : services_->null_fd;
  plan.stdout_fd = out.get();
  plan.stderr_fd = err.get();
  plan.cgroup_fd = tree_->BirthCgroupFd();
  plan.join_fds[0] = tree_->JoinFd();
  plan.join_fds[1] = memory_limit_ == nullptr ? -1 : memory_limit_->JoinFd();
  plan.ignored_signals = ignored_signals;
  child = StartChild(plan, stack);
  // A child that another thread is just starting still holds our script open for writing, until its exec.
  for (int i = 0; child.error == ETXTBSY && i < kBusyTries; ++i) {
    PauseAMillisecond();
    child = StartChild(plan, stack);
  }
  if (child.error == 0) return child;
  *problem = StartProblem(child, *launch_);
  return child;
}

void CommandRun::FailStart(int error, std::string message) {
  for (Pipe& pipe : pipes_) pipe.fd.Close();
  services_->memory->GiveBack(std::move(memory_limit_));
  services_->forest->GiveBack(std::move(tree_));
  plugin::Result result;
  result.reason = plugin::EndReason::kStartFailed;
  result.start_errno = error;
  result.message = std::move(message);
  context_->Finish(std::move(result));
}

void CommandRun::HandOver() {
  EventLoop& loop = *services_->loop;
  loop.PostSoon([self = shared_from_this()] { self->LookCloser(); });
  std::lock_guard<std::mutex> lock(mutex_);
  handed_over_ = true;
  pidfd_watch_ = loop.AddWatch(pidfd_.get(), EPOLLIN, shared_from_this(), kPidfdTag);
  if (wish_ != Wish::kNone) loop.Post([self = shared_from_this()] { self->Obey(); });
}

}  // namespace muster::command
