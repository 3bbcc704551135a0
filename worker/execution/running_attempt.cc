#include "worker/execution/running_attempt.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "worker/execution/outputs_file.h"

namespace muster::execution {
namespace {

constexpr uint32_t kMaxLogLines = 1000;
constexpr size_t kMaxLogMessageBytes = 8 * 1024;
constexpr size_t kMaxLogFields = 32;

}  // namespace

RunningAttempt::RunningAttempt(AttemptHost* host, AttemptRequest request, PluginMetrics* metrics,
                               WorkDirectories::Lease lease)
    : host_(host), request_(std::move(request)), metrics_(metrics), lease_(std::move(lease)), judge_(&request_.validation) {
  for (OutputStream& one : streams_) one.SetLossless(request_.lossless);
}

void RunningAttempt::Run(plugin::Executor* executor) {
  {
    absl::MutexLock lock(&mutex_);
    run_thread_ = std::this_thread::get_id();
  }
  if (!request_.validation.command.empty()) surroundings_ = SurroundingsOf(request_.request);
  std::shared_ptr<plugin::Execution> execution;
  std::string problem = "the executor gave no execution";
  try {
    execution = executor->Execute(request_.request, this);
  } catch (const std::exception& thrown) {
    problem = std::string("the executor threw: ") + thrown.what();
  } catch (...) {
    problem = "the executor threw";
  }
  request_.request = plugin::Request();  // it may hold megabytes of input
  if (execution == nullptr) return Fail(std::move(problem), 0);
  bool stop, by_force;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ && finish_thread_ == run_thread_) return;  // `execution` is destroyed here
    execution_ = execution;
    stop = stop_reason_ != EndReason::kNone && !finished_ && phase_ == Phase::kWork;
    by_force = stop_by_force_;
  }
  if (stop && by_force) execution->Kill();
  if (stop && !by_force) execution->Stop();
}

void RunningAttempt::Fail(std::string message, int error) {
  plugin::Result result;
  result.reason = plugin::EndReason::kStartFailed;
  result.start_errno = error;
  result.message = std::move(message);
  Finish(std::move(result));
}

bool RunningAttempt::Stop(EndReason reason, bool by_force, bool by_master) {
  std::shared_ptr<plugin::Execution> execution;
  std::shared_ptr<ValidationRun> validation;
  AttemptReportPtr report;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return false;
    if (stop_reason_ == EndReason::kNone) {
      stop_reason_ = reason;
      stopped_by_master_ = by_master;
    }
    stop_by_force_ |= by_force;
    validation = validation_;
    if (phase_ == Phase::kWork) execution = execution_;  // none yet: Run looks after it has one
    if (phase_ == Phase::kBetween) report = Close(StoppedEnd(work_end_, stop_reason_));  // nothing of it runs
  }
  if (report != nullptr) {
    host_->Ended(shared_from_this(), std::move(report));
    return false;
  }
  if (validation != nullptr) validation->Stop(by_force);
  if (execution != nullptr && by_force) execution->Kill();
  if (execution != nullptr && !by_force) execution->Stop();
  return true;
}

// Most commands are over before anyone could act on their start: it is told with the first output, or not at all
// when the report, which says it too, comes first.
void RunningAttempt::Started() {
  const absl::Time now = host_->Now();
  {
    absl::MutexLock lock(&mutex_);
    if (started_ || finished_) return;
    started_ = untold_start_ = true;
    start_time_ = now;
    if (std::exchange(dirty_, true)) return;
  }
  host_->NeedsFlush(shared_from_this(), false);
}

size_t RunningAttempt::Room(plugin::Stream which) const {
  bool review = false;
  size_t room;
  {
    absl::MutexLock lock(&mutex_);
    OutputStream& one = stream(which);
    room = one.Room();
    if (finished_) return 0;
    if (room == 0) {
      one.Block(host_->Now());
      review = !one.subscribed();
    }
  }
  if (review) host_->ReviewAfterGrace(const_cast<RunningAttempt*>(this)->shared_from_this());
  return room;
}

size_t RunningAttempt::Output(plugin::Stream which, std::string_view bytes) {
  size_t taken;
  bool flush = false, at_once = false, review = false;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return bytes.size();
    OutputStream& one = stream(which);
    taken = one.Append(bytes);
    judge_.Feed(which, bytes.substr(0, taken));
    if (taken < bytes.size()) {
      one.Block(host_->Now());
      review = !one.subscribed();
    }
    const int64_t pending = one.PendingBytes();
    at_once = pending >= static_cast<int64_t>(OutputStream::kChunkBytes);
    flush = pending > 0 && (!dirty_ || at_once);
    dirty_ |= flush;
  }
  if (flush) host_->NeedsFlush(shared_from_this(), at_once);
  if (review) host_->ReviewAfterGrace(shared_from_this());
  return taken;
}

void RunningAttempt::TellStart() {
  absl::Time start;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || !std::exchange(untold_start_, false)) return;
    start = start_time_;
    delivering_ = true;
  }
  host_->listener().OnStarted(key(), start);
  absl::MutexLock lock(&mutex_);
  delivering_ = false;
}

bool RunningAttempt::Flush(int max_chunks) {
  TellStart();
  for (int i = 0; i < max_chunks; ++i) {
    OutputStream::Chunk chunk;
    plugin::Stream which = plugin::Stream::kStdout;
    {
      absl::MutexLock lock(&mutex_);
      dirty_ = false;
      if (streams_[0].PendingBytes() == 0) which = plugin::Stream::kStderr;
      // Both in turn, so that a flood on one does not hide the other.
      if (i % 2 == 1 && streams_[1].PendingBytes() > 0) which = plugin::Stream::kStderr;
      if (finished_ || stream(which).PendingBytes() == 0) return false;
      chunk = stream(which).NextChunk();
      delivering_ = true;
    }
    host_->listener().OnOutput(key(), which, chunk.offset, std::move(chunk.bytes), chunk.skipped);
    absl::MutexLock lock(&mutex_);
    delivering_ = false;
  }
  absl::MutexLock lock(&mutex_);
  const bool more = !finished_ && (streams_[0].PendingBytes() > 0 || streams_[1].PendingBytes() > 0);
  dirty_ = more;
  return more;
}

void RunningAttempt::Log(plugin::Severity severity, std::string_view message,
                         const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text(message.substr(0, kMaxLogMessageBytes));
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || log_lines_ > kMaxLogLines) return;
    if (++log_lines_ > kMaxLogLines) text = "the attempt has logged too much; the rest is dropped";
  }
  std::vector<std::pair<std::string, std::string>> kept(
      fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(std::min(fields.size(), kMaxLogFields)));
  host_->listener().OnLog(key(), host_->Now(), severity, std::move(text), std::move(kept));
}

bool RunningAttempt::Cancelled() const {
  absl::MutexLock lock(&mutex_);
  return stop_reason_ != EndReason::kNone;
}

AttemptReportPtr RunningAttempt::MakeReport(AttemptEnd end) {
  auto report = std::make_shared<AttemptReport>();
  report->key = request_.key;
  report->end = std::move(end);
  report->stdout_output = streams_[0].Take();
  report->stderr_output = streams_[1].Take();
  report->start_time = start_time_;
  report->end_time = host_->Now();
  report->started = started_;
  report->stopped = stopped_by_master_ && report->end.reason == stop_reason_;
  if (judge_.IsSuccess(report->end)) report->outputs = std::move(outputs_);
  return report;
}

AttemptReportPtr RunningAttempt::Close(AttemptEnd end) {
  finished_ = true;
  finish_thread_ = std::this_thread::get_id();
  // The report comes after all output; a chunk may just be on its way.
  mutex_.Await(absl::Condition(this, &RunningAttempt::NotDelivering));
  return MakeReport(std::move(end));
}

// Not under the mutex: it reads a file.
absl::StatusOr<NamedValues> RunningAttempt::WrittenOutputs(const plugin::Result& result) const {
  if (request_.outputs.empty() || result.reason != plugin::EndReason::kExited) return NamedValues();
  int directory;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || phase_ != Phase::kWork) return NamedValues();  // the directory may be another's by now
    directory = lease_.fd;
  }
  return ReadOutputs(directory, request_.outputs);
}

void RunningAttempt::Finish(plugin::Result result) {
  const std::shared_ptr<RunningAttempt> self = shared_from_this();  // a stop may end it before we are out of here
  absl::StatusOr<NamedValues> outputs = WrittenOutputs(result);
  AttemptReportPtr report;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || phase_ != Phase::kWork) return;
    AttemptEnd end = judge_.WorkEnd(result, stop_reason_, outputs.status());
    if (started_) end.usage.wall_time = host_->Now() - start_time_;
    if (outputs.ok()) outputs_ = *std::move(outputs);
    const bool validate = !request_.validation.command.empty() && judge_.IsSuccess(end);
    if (validate && stop_reason_ == EndReason::kNone) {
      phase_ = Phase::kBetween;
      work_end_ = std::move(end);
    } else {
      if (validate) end = StoppedEnd(end, stop_reason_);
      report = Close(std::move(end));
    }
  }
  if (report != nullptr) return host_->Ended(self, std::move(report));
  TellStart();
  host_->listener().OnWorkEnded(key(), host_->Now());
}

bool RunningAttempt::Validate(plugin::Executor* command) {
  std::shared_ptr<ValidationRun> validation;
  plugin::Request request;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || phase_ != Phase::kBetween) return false;
    phase_ = Phase::kValidation;
    request = ValidationRequest(std::move(surroundings_), request_.validation.command, work_end_.exit_code, streams_[0].Kept());
    validation = validation_ = std::make_shared<ValidationRun>(
        [this](const plugin::Result& result, const std::string& last_line) { ValidationEnded(result, last_line); });
  }
  validation->Run(command, request);
  return true;
}

bool RunningAttempt::StopValidation() {
  std::shared_ptr<ValidationRun> validation;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || validation_ == nullptr) return false;
    validation_timed_out_ = true;
    validation = validation_;
  }
  validation->Stop(false);
  return true;
}

void RunningAttempt::ValidationEnded(const plugin::Result& result, const std::string& last_line) {
  const std::shared_ptr<RunningAttempt> self = shared_from_this();
  AttemptReportPtr report;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    report = Close(judge_.ValidatedEnd(work_end_, result, last_line, stop_reason_, validation_timed_out_));
  }
  host_->Ended(self, std::move(report));
}

bool RunningAttempt::MustOutliveFinish() const {
  absl::MutexLock lock(&mutex_);
  return phase_ != Phase::kWork || finish_thread_ != run_thread_;
}

void RunningAttempt::DestroyExecution() {
  std::shared_ptr<plugin::Execution> last;
  std::shared_ptr<ValidationRun> validation;
  absl::MutexLock lock(&mutex_);
  last.swap(execution_);
  validation.swap(validation_);
}

void RunningAttempt::Abandon() {
  absl::MutexLock lock(&mutex_);
  finished_ = true;
}

void RunningAttempt::TellRoom(plugin::Stream which) {
  std::shared_ptr<plugin::Execution> execution;
  {
    absl::MutexLock lock(&mutex_);
    if (finished_ || phase_ != Phase::kWork || !stream(which).Unblock()) return;
    execution = execution_;
  }
  if (execution != nullptr) execution->OutputRoom(which);
}

void RunningAttempt::Subscribe(plugin::Stream which, int64_t offset, bool lossless) {
  bool flush;
  {
    absl::MutexLock lock(&mutex_);
    stream(which).Subscribe(offset, lossless);
    flush = stream(which).PendingBytes() > 0;
  }
  TellRoom(which);
  if (flush) host_->NeedsFlush(shared_from_this(), true);
}

void RunningAttempt::Acknowledge(plugin::Stream which, int64_t offset) {
  {
    absl::MutexLock lock(&mutex_);
    stream(which).Acknowledge(offset);
  }
  TellRoom(which);
}

void RunningAttempt::Pause(plugin::Stream which) {
  bool review;
  {
    absl::MutexLock lock(&mutex_);
    stream(which).Pause(host_->Now());
    review = stream(which).blocked_since() != absl::InfiniteFuture();
  }
  if (review) host_->ReviewAfterGrace(shared_from_this());
}

void RunningAttempt::Detach(plugin::Stream which) {
  {
    absl::MutexLock lock(&mutex_);
    stream(which).Detach();
  }
  TellRoom(which);
}

void RunningAttempt::ReviewReaders(absl::Duration attach_grace) {
  for (const plugin::Stream which : {plugin::Stream::kStdout, plugin::Stream::kStderr}) {
    bool given_up;
    {
      absl::MutexLock lock(&mutex_);
      given_up = stream(which).GiveUpOnReader(host_->Now(), attach_grace);
    }
    if (!given_up) continue;
    host_->listener().OnLog(key(), host_->Now(), plugin::Severity::kWarning,
                            "nobody reads the lossless output any more; it goes on without waiting", {});
    TellRoom(which);
  }
}

}  // namespace muster::execution
