#include "worker/plugins/command/command_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace muster::command {
namespace {

using std::chrono::milliseconds;

constexpr size_t kReadBytes = 64 * 1024;
constexpr int kReadsAtOnce = 4;  // then the others have their turn
constexpr int kMaxClearRounds = 600;
constexpr auto kMemoryPeriod = milliseconds(100);
constexpr auto kSamplePeriod = milliseconds(1000);
constexpr std::chrono::nanoseconds kKillRetry = milliseconds(200);
constexpr std::chrono::nanoseconds kMaxGrace = std::chrono::hours(24 * 365);

// The peak of this process in kibibytes; it hardly ever moves, and asking walks over all threads.
int64_t OwnPeak() {
  static thread_local int64_t peak = 0;
  static thread_local int asked = 0;
  if (asked++ % 256 == 0) {
    rusage own{};
    getrusage(RUSAGE_SELF, &own);
    peak = own.ru_maxrss;
  }
  return peak;
}

std::chrono::nanoseconds Nanoseconds(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

CommandRun::CommandRun(const RunServices* services, plugin::Request request, plugin::Context* context)
    : services_(services), request_(std::move(request)), context_(context), tier_(std::max(request_.isolation, services->isolation.least)) {
  pipes_[0].stream = plugin::Stream::kStdout;
  pipes_[1].stream = plugin::Stream::kStderr;
}

void CommandRun::Room(plugin::Stream stream) {
  services_->loop->Post([self = shared_from_this(), stream] {
    Pipe* pipe = &self->pipes_[stream == plugin::Stream::kStdout ? 0 : 1];
    if (!pipe->open() || !pipe->blocked) return;
    if (self->phase_ == Phase::kEmptying) return self->EmptyPipes();
    pipe->blocked = false;
    self->ReadPipe(pipe);
  });
}

void CommandRun::Ask(Wish wish) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wish_ = std::max(wish_, wish);
    if (!handed_over_) return;  // Begin looks before and after the start
  }
  services_->loop->Post([self = shared_from_this()] { self->Obey(); });
}

void CommandRun::Obey() {
  Wish wish;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    wish = wish_;
  }
  if (phase_ == Phase::kRunning && Reap()) OnMainExit();  // it was quicker: its own end counts
  if (phase_ == Phase::kFinished || wish <= obeyed_) return;
  obeyed_ = wish;
  Terminate(wish == Wish::kKill);
}

void CommandRun::Terminate(bool by_force) {
  if (phase_ == Phase::kDraining) return Drained();
  if (phase_ == Phase::kEmptying && by_force) return EmptyPipes();
  if (phase_ != Phase::kRunning) return;
  EventLoop& loop = *services_->loop;
  loop.Cancel(&kill_timer_);
  if (by_force) {
    tree_->Kill();
  } else {
    tree_->Signal(SIGTERM);
    tree_->Signal(SIGCONT);  // a stopped process would not see it
  }
  const std::chrono::nanoseconds grace = std::min<std::chrono::nanoseconds>(request_.kill_grace, kMaxGrace);
  const std::chrono::nanoseconds next = by_force ? kKillRetry : grace;
  kill_timer_ = loop.After(next, [self = shared_from_this()] {
    self->kill_timer_ = {};
    self->obeyed_ = Wish::kKill;
    self->Terminate(true);
  });
}

void CommandRun::OnReady(uint32_t tag, uint32_t) {
  { std::lock_guard<std::mutex> lock(mutex_); }  // what HandOver wrote is seen
  if (phase_ == Phase::kFinished) return;
  if (tag == kPidfdTag) {
    if (phase_ == Phase::kRunning && Reap()) OnMainExit();
  } else if (phase_ == Phase::kEmptying) {
    EmptyPipes();
  } else if (pipes_[tag].open()) {
    ReadPipe(&pipes_[tag]);
  }
}

void CommandRun::LookCloser() {
  { std::lock_guard<std::mutex> lock(mutex_); }
  if (phase_ != Phase::kRunning) return;
  for (Pipe& pipe : pipes_) WatchPipe(&pipe);
  WatchMemory();
}

void CommandRun::WatchPipe(Pipe* pipe) {
  if (!pipe->open() || pipe->watch != 0 || pipe->blocked) return;
  const auto tag = static_cast<uint32_t>(pipe - pipes_);
  pipe->watch = services_->loop->AddWatch(pipe->fd.get(), EPOLLIN, shared_from_this(), tag);
}

CommandRun::ReadEnd CommandRun::ReadSome(Pipe* pipe) {
  for (int i = 0; i < kReadsAtOnce; ++i) {
    const size_t room = std::min(context_->Room(pipe->stream), kReadBytes);
    if (room == 0) return ReadEnd::kNoRoom;
    const ssize_t got = read(pipe->fd.get(), services_->read_buffer.get(), room);
    if (got == 0) return ReadEnd::kEndOfFile;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? ReadEnd::kEmpty : ReadEnd::kEndOfFile;
    context_->Output(pipe->stream, std::string_view(services_->read_buffer.get(), static_cast<size_t>(got)));
  }
  return ReadEnd::kMore;
}

void CommandRun::ReadPipe(Pipe* pipe) {
  switch (ReadSome(pipe)) {
    case ReadEnd::kEndOfFile:
      ClosePipe(pipe);
      if (phase_ == Phase::kDraining && !PipesOpen()) Drained();
      return;
    case ReadEnd::kNoRoom:
      pipe->blocked = true;
      services_->loop->Unwatch(&pipe->watch, pipe->fd.get());
      // Room may have come between the look and the mark; Room() then found nothing blocked.
      if (context_->Room(pipe->stream) > 0) Room(pipe->stream);
      return;
    case ReadEnd::kEmpty:
    case ReadEnd::kMore:
      WatchPipe(pipe);
  }
}

void CommandRun::ClosePipe(Pipe* pipe) {
  services_->loop->Unwatch(&pipe->watch, pipe->fd.get());
  pipe->fd.Close();
}

bool CommandRun::Reap() {
  siginfo_t info{};
  if (syscall(SYS_waitid, P_PID, pid_, &info, WEXITED | WNOHANG, &usage_) < 0) {
    if (errno != ECHILD) return false;
    exit_signal_ = SIGKILL;  // somebody else has waited for it: how it ended is not known
    return true;
  }
  if (info.si_pid == 0) return false;
  if (info.si_code == CLD_EXITED) {
    exit_code_ = info.si_status;
  } else {
    exit_signal_ = info.si_status;
  }
  return true;
}

void CommandRun::OnMainExit() {
  EventLoop& loop = *services_->loop;
  loop.Unwatch(&pidfd_watch_, pidfd_.get());
  pidfd_.Close();
  loop.Cancel(&kill_timer_);
  loop.Cancel(&memory_timer_);
  exited_by_itself_ = obeyed_ == Wish::kNone;
  phase_ = Phase::kDraining;
  for (Pipe& pipe : pipes_) {
    if (pipe.open() && !pipe.blocked) ReadPipe(&pipe);
    if (phase_ != Phase::kDraining) return;
  }
  if (!PipesOpen() || !exited_by_itself_) return Drained();
  drain_timer_ = loop.After(services_->drain, [self = shared_from_this()] {
    self->drain_timer_ = {};
    self->Drained();
  });
}

void CommandRun::Drained() {
  services_->loop->Cancel(&drain_timer_);
  phase_ = Phase::kClearing;
  Clear();
}

void CommandRun::Clear() {
  if (!tree_->Kill() && ++clear_rounds_ < kMaxClearRounds) {
    const auto delay = milliseconds(std::min(100, 1 << std::min(clear_rounds_, 7)));
    clear_timer_ = services_->loop->After(delay, [self = shared_from_this()] { self->Clear(); });
    return;
  }
  if (clear_rounds_ == kMaxClearRounds) {
    context_->Log(plugin::Severity::kError, "processes of the attempt cannot be killed", {});
  }
  phase_ = Phase::kEmptying;
  EmptyPipes();
}

// There is no room, but there always is for as much as a pipe holds, once: the host keeps it in the report. Only a
// pipe that the command has made bigger has to wait.
CommandRun::ReadEnd CommandRun::TakeRest(Pipe* pipe) {
  int left = 0;
  if (pipe->rest_taken || ioctl(pipe->fd.get(), FIONREAD, &left) < 0) return ReadEnd::kNoRoom;
  if (left == 0) return ReadEnd::kEmpty;
  pipe->rest_taken = true;
  const ssize_t got = read(pipe->fd.get(), services_->read_buffer.get(), kReadBytes);
  if (got <= 0) return ReadEnd::kEmpty;
  context_->Output(pipe->stream, std::string_view(services_->read_buffer.get(), static_cast<size_t>(got)));
  return left > got ? ReadEnd::kNoRoom : ReadEnd::kEmpty;
}

// Nobody writes any more: what is there is all there will be.
void CommandRun::EmptyPipes() {
  for (Pipe& pipe : pipes_) {
    if (!pipe.open()) continue;
    ReadEnd end = ReadEnd::kMore;
    while (end == ReadEnd::kMore) end = ReadSome(&pipe);
    if (end == ReadEnd::kNoRoom) end = TakeRest(&pipe);
    if (end != ReadEnd::kNoRoom || obeyed_ == Wish::kKill) {
      ClosePipe(&pipe);
      continue;
    }
    services_->loop->Unwatch(&pipe.watch, pipe.fd.get());
    pipe.blocked = true;
    if (context_->Room(pipe.stream) > 0) Room(pipe.stream);
  }
  if (!PipesOpen()) FinishRun();
}

void CommandRun::FinishRun() {
  phase_ = Phase::kFinished;
  plugin::Result result = MakeResult();
  // One whose processes cannot be killed is not to be used again.
  if (clear_rounds_ < kMaxClearRounds) GiveBackPlaces();
  context_->Finish(std::move(result));
}

void CommandRun::GiveBackPlaces() {
  services_->forest->GiveBack(std::move(tree_));
  services_->memory->GiveBack(std::move(memory_limit_));
  services_->bounds->GiveBack(std::move(bounds_));
  if (user_) services_->users->GiveBack(*user_);
}

void CommandRun::WatchMemory() {
  memory_timer_ = {};
  if (phase_ != Phase::kRunning) return;
  const bool guard = request_.memory_limit_bytes > 0 && memory_limit_ == nullptr;
  const int64_t resident = ResidentBytes(guard ? tree_->Members() : std::vector<pid_t>{pid_});
  sampled_peak_bytes_ = std::max(sampled_peak_bytes_, resident);
  if (guard && resident > request_.memory_limit_bytes) {
    out_of_memory_ = true;
    tree_->Kill();
  }
  memory_timer_ = services_->loop->After(guard ? kMemoryPeriod : kSamplePeriod,
                                         [self = shared_from_this()] { self->WatchMemory(); });
}

// The kernel hands the peak of the memory that vfork shared on to the child, so a small number from rusage says more
// about this process than about the command.
int64_t CommandRun::PeakBytes() const {
  if (memory_limit_ != nullptr) {
    if (const int64_t peak = memory_limit_->PeakBytes(); peak > 0) return peak;
  }
  const int64_t reported = int64_t{usage_.ru_maxrss} * 1024;
  if (usage_.ru_maxrss > OwnPeak()) return reported;
  return std::min(reported, std::max(sampled_peak_bytes_, int64_t{usage_.ru_minflt} * 4096));
}

plugin::Result CommandRun::MakeResult() {
  plugin::Result result;
  const bool limit_killed = memory_limit_ != nullptr && memory_limit_->KilledSinceSet();
  if (out_of_memory_ || (limit_killed && (exit_signal_ != 0 || exit_code_ != 0))) {
    result.reason = plugin::EndReason::kOutOfMemory;
    result.message = "it needed more than its " + std::to_string(memory_limit_bytes_) + " bytes of memory";
  } else if (exit_signal_ != 0) {
    result.reason = plugin::EndReason::kSignaled;
    result.signal = exit_signal_;
  } else {
    result.exit_code = exit_code_;
  }
  result.by_itself = exited_by_itself_;
  result.usage.user_cpu = Nanoseconds(usage_.ru_utime);
  result.usage.system_cpu = Nanoseconds(usage_.ru_stime);
  result.usage.peak_memory_bytes = PeakBytes();
  result.usage.read_bytes = int64_t{usage_.ru_inblock} * 512;
  result.usage.written_bytes = int64_t{usage_.ru_oublock} * 512;
  return result;
}

}  // namespace muster::command
