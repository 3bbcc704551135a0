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
#include "worker/plugins/command/isolated_start.h"

namespace muster::command {
namespace {

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
  std::string problem = TakePlaces();
  if (!problem.empty()) return FailStart(EAGAIN, std::move(problem));
  EnvironmentDefaults environment = services_->environment;
  if (user_) environment.home = user_->home.empty() ? request_.task_directory : user_->home;
  launch_ = std::make_unique<Launch>(request_, environment);
  if (!launch_->Prepare(user_ ? &*user_ : nullptr)) return FailStart(launch_->error(), launch_->message());
  const ChildOutcome child = StartMain(stack, ignored_signals, &problem);
  if (child.error != 0) return FailStart(child.error, std::move(problem));
  pid_ = child.pid;
  pidfd_ = Descriptor(child.pidfd);
  tree_->SetMain(pid_, launch_->mark());
  launch_.reset();
  context_->Started();
  HandOver();
}

// What the tier needs; in words what cannot be had.
std::string CommandRun::TakePlaces() {
  if (tier_ > services_->best_isolation) {
    return std::string("this worker does not offer isolation ") + IsolationName(tier_);
  }
  tree_ = services_->forest->Take();
  if (tree_ == nullptr) return "no cgroup can be made for it";
  const bool is_limited = tier_ >= plugin::Isolation::kLimited;
  memory_limit_bytes_ = request_.memory_limit_bytes;
  if (memory_limit_bytes_ == 0 && is_limited) memory_limit_bytes_ = services_->isolation.memory_bytes;
  if (memory_limit_bytes_ > 0) memory_limit_ = services_->memory->Take(tree_->BirthCgroupFd(), memory_limit_bytes_);
  if (!is_limited) return TakeUser();
  bounds_ = services_->bounds->Take(tree_->BirthCgroupFd(), services_->isolation.max_processes, request_.cpu_limit_millis);
  if (bounds_ == nullptr || (memory_limit_bytes_ > 0 && memory_limit_ == nullptr)) return "no cgroup can be made for its bounds";
  return TakeUser();
}

std::string CommandRun::TakeUser() {
  if (services_->users->configured()) {
    user_ = services_->users->Take(request_.task_directory);
    if (!user_) return "all users of isolation.users are taken";
  } else if (tier_ == plugin::Isolation::kStrict && geteuid() == 0) {
    user_ = User{Users::kNobody, Users::kNobody, ""};
  }
  return "";
}

bool CommandRun::MakePipes(Descriptor* out, Descriptor* err, Descriptor* in) {
  if (!MakePipe(&pipes_[0].fd, out) || !MakePipe(&pipes_[1].fd, err)) return false;
  if (!request_.command.stdin_bytes.empty() && !MakeInput(request_.command.stdin_bytes, in)) return false;
  if (!user_) return true;
  // So that it can open /dev/stdout and the others again.
  for (const Descriptor* stream : {out, err, in}) {
    if (stream->valid() && fchown(stream->get(), user_->uid, user_->gid) < 0) return false;
  }
  return true;
}

ChildPlan CommandRun::MakePlan(int in, int out, int err) {
  ChildPlan plan;
  plan.argv = launch_->argv();
  plan.environment = launch_->environment();
  plan.candidates = launch_->candidates();
  plan.interpreter_argv = launch_->interpreter_argv();
  plan.directory = launch_->directory().c_str();
  plan.stdin_fd = in;
  plan.stdout_fd = out;
  plan.stderr_fd = err;
  plan.cgroup_fd = tree_->BirthCgroupFd();
  plan.join_fds[0] = tree_->JoinFd();
  plan.join_fds[1] = memory_limit_ == nullptr ? -1 : memory_limit_->JoinFd();
  plan.join_fds[2] = bounds_ == nullptr ? -1 : bounds_->ProcessesJoinFd();
  plan.join_fds[3] = bounds_ == nullptr ? -1 : bounds_->CpuJoinFd();
  plan.limits = services_->limits.data();
  plan.limit_count = services_->limits.size();
  if (!user_ || tier_ == plugin::Isolation::kStrict) return plan;
  plan.uid = user_->uid;
  plan.gid = user_->gid;
  if (bounds_ != nullptr) return plan;  // its processes are counted, and not its user's
  plan.limits = services_->limits_of_users.data();
  plan.limit_count = services_->limits_of_users.size();
  return plan;
}

isolate::Plan CommandRun::MakeIsolatedPlan() const {
  isolate::Plan plan;
  plan.arguments = launch_->arguments();
  plan.environment = launch_->variables();
  plan.candidates = launch_->paths();
  plan.directory = launch_->directory();
  plan.task_directory = request_.task_directory;
  plan.work_dir = services_->isolation.work_dir;
  plan.hidden = services_->isolation.hidden;
  plan.user_namespace = !user_;
  plan.no_network = request_.no_network;
  plan.tmp_bytes = services_->isolation.tmp_bytes;
  if (user_) plan.uid = user_->uid;
  if (user_) plan.gid = user_->gid;
  return plan;
}

ChildOutcome CommandRun::StartOnce(const ChildPlan& plan, const ChildStack& stack, std::string* problem) {
  if (tier_ < plugin::Isolation::kStrict) return StartChild(plan, stack);
  return StartIsolated(services_->isolation.program, MakeIsolatedPlan(), plan, stack, problem);
}

ChildOutcome CommandRun::StartMain(const ChildStack& stack, uint64_t ignored_signals, std::string* problem) {
  ChildOutcome child;
  Descriptor out, err, in;
  if (!MakePipes(&out, &err, &in)) {
    child.error = errno;
    *problem = std::string("no pipes: ") + strerror(child.error);
    return child;
  }
  ChildPlan plan = MakePlan(in.valid() ? in.get() : services_->null_fd, out.get(), err.get());
  plan.ignored_signals = ignored_signals;
  child = StartOnce(plan, stack, problem);
  // A child that another thread is just starting still holds our script open for writing, until its exec.
  for (int i = 0; child.error == ETXTBSY && i < kBusyTries; ++i) {
    PauseAMillisecond();
    child = StartOnce(plan, stack, problem);
  }
  if (child.error != 0 && problem->empty()) *problem = StartProblem(child, *launch_);
  return child;
}

void CommandRun::FailStart(int error, std::string message) {
  for (Pipe& pipe : pipes_) pipe.fd.Close();
  GiveBackPlaces();
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
