#include "worker/execution/plugin_host.h"

#include <errno.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "worker/execution/outputs_file.h"

namespace muster::execution {
namespace {

constexpr uint32_t kMinDirectoriesAhead = 4;
constexpr uint32_t kMaxDirectoriesAhead = 256;
constexpr absl::Duration kJanitorPeriod = absl::Milliseconds(100);
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 365 * 10);  // the clock does not overflow
constexpr absl::Duration kLockPatience = absl::Seconds(5);  // of a predecessor that was killed
constexpr absl::Duration kSilence = absl::Seconds(10);
constexpr absl::Duration kEndAllLimit = absl::Seconds(30);
// A plugin kills by force itself after its grace; the host does it for one that forgot.
constexpr absl::Duration kForgotten = absl::Seconds(2);

AttemptReportPtr ReportRefused(AttemptKey key, std::string message, int error, absl::Time now) {
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = EndReason::kStartFailed;
  report->end.start_errno = error;
  report->end.message = std::move(message);
  report->end_time = now;
  return report;
}

int64_t AvailableMemoryBytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    long long kibibytes = 0;
    if (sscanf(line.c_str(), "MemAvailable: %lld kB", &kibibytes) == 1) return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ExecutionHost>> ExecutionHost::Create(HostConfig config, Listener* listener) {
  auto host = std::make_unique<PluginHost>(std::move(config), listener);
  MUSTER_RETURN_IF_ERROR(host->Open());
  return std::unique_ptr<ExecutionHost>(std::move(host));
}

PluginHost::PluginHost(HostConfig config, Listener* listener) : config_(std::move(config)), listener_(listener) {}

absl::Status PluginHost::Open() {
  const uint32_t ahead = std::clamp(config_.slots + 1, kMinDirectoriesAhead, kMaxDirectoriesAhead);
  MUSTER_ASSIGN_OR_RETURN(directories_, WorkDirectories::Open(config_.work_dir, ahead, kLockPatience, config_.commands_have_users));
  MUSTER_RETURN_IF_ERROR(executors_.Load(config_));
  loop_ = std::make_unique<HostLoop>([this] { return Now(); });
  health_ = std::make_unique<Periodic>(config_.health_interval, [this] {
    if (executors_.Refresh()) listener_->OnOfferChanged();
  });
  janitor_ = std::make_unique<Periodic>(kJanitorPeriod, [this] {
    DestroyFinished();
    directories_->RemoveTrash();
    if (executors_.MarkSilent(kSilence)) listener_->OnOfferChanged();
  });
  return absl::OkStatus();
}

PluginHost::~PluginHost() {
  if (loop_ == nullptr) return;
  const bool all_ended = EndAll();
  janitor_.reset();
  health_.reset();
  loop_.reset();
  DestroyFinished();
  if (all_ended) return;
  executors_.AbandonAll();
  absl::MutexLock lock(&mutex_);
  for (auto& [key, row] : rows_) {
    row.attempt->Abandon();
    new AttemptPtr(row.attempt);  // its plugin still holds a pointer to it
  }
}

bool PluginHost::EndAll() {
  std::vector<AttemptPtr> attempts;
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
    for (auto& [key, row] : rows_) attempts.push_back(row.attempt);
  }
  for (const AttemptPtr& attempt : attempts) attempt->Stop(EndReason::kLost, true, true);
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &PluginHost::Empty), kEndAllLimit);
}

absl::StatusOr<WorkDirectories::Lease> PluginHost::Prepare(AttemptRequest* request, bool wants_directory) {
  plugin::Request& own = request->request;
  if (request->kill_grace == absl::InfiniteDuration()) request->kill_grace = config_.kill_grace;
  own.kill_grace = absl::ToChronoNanoseconds(request->kill_grace);
  if (request->run_timeout != absl::InfiniteDuration()) {
    own.deadline = std::chrono::steady_clock::now() +
                   absl::ToChronoNanoseconds(std::min(request->run_timeout, kLongestTimeout));
  }
  if (!wants_directory) return WorkDirectories::Lease();
  MUSTER_ASSIGN_OR_RETURN(WorkDirectories::Lease lease, directories_->Take());
  own.task_directory = lease.path;
  own.command.environment.emplace_back("MUSTER_TASK_DIR", lease.path);
  if (!request->outputs.empty()) {
    own.command.environment.emplace_back("MUSTER_OUTPUTS", absl::StrCat(lease.path, "/", kOutputsFile));
  }
  return lease;
}

void PluginHost::Start(AttemptRequest request) {
  const AttemptKey key = request.key;
  ExecutorTable::Loaded* executor = executors_.Find(request.request.executor);
  if (executor == nullptr) {
    return listener_->OnEnded(
        ReportRefused(key, absl::StrCat("executor ", request.request.executor, " is not loaded here"), 0, Now()));
  }
  const bool wants_directory =
      executor->wants_directory || !request.validation.command.empty() || !request.outputs.empty();
  absl::StatusOr<WorkDirectories::Lease> lease = Prepare(&request, wants_directory);
  if (!lease.ok()) {
    const std::string message = absl::StrCat("no task directory: ", lease.status().message());
    return listener_->OnEnded(ReportRefused(key, message, absl::IsResourceExhausted(lease.status()) ? ENOSPC : EIO, Now()));
  }
  const absl::Duration run_timeout = request.run_timeout;
  AttemptHost* const self = this;
  auto attempt = std::make_shared<RunningAttempt>(self, std::move(request), executor->metrics.get(), *std::move(lease));
  if (!Add(attempt)) {
    directories_->GiveBack(attempt->TakeLease());
    return;
  }
  if (run_timeout != absl::InfiniteDuration()) TimerFor(attempt, run_timeout, &PluginHost::OnTimeout);
  attempt->Run(&executor->library->executor());
}

// False: there is one of that name, or it is too late for any.
bool PluginHost::Add(const AttemptPtr& attempt) {
  absl::MutexLock lock(&mutex_);
  if (closing_) return false;
  const auto [place, added] = rows_.try_emplace(attempt->key());
  if (added) place->second.attempt = attempt;
  return added;
}

PluginHost::AttemptPtr PluginHost::Find(AttemptKey key) {
  absl::MutexLock lock(&mutex_);
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : found->second.attempt;
}

void PluginHost::TimerFor(const AttemptPtr& attempt, absl::Duration delay,
                          void (PluginHost::*action)(const AttemptPtr&)) {
  absl::MutexLock lock(&mutex_);
  const auto found = rows_.find(attempt->key());
  if (found == rows_.end() || found->second.attempt != attempt) return;
  found->second.timers.push_back(loop_->At(Now() + delay, [this, attempt, action] { (this->*action)(attempt); }));
}

void PluginHost::OnTimeout(const AttemptPtr& attempt) {
  StopOne(attempt, EndReason::kTimeout, attempt->request().kill_grace + kForgotten, false);
}

void PluginHost::OnGraceOver(const AttemptPtr& attempt) { attempt->Stop(EndReason::kNone, true, false); }

void PluginHost::OnReview(const AttemptPtr& attempt) { attempt->ReviewReaders(config_.attach_grace); }

void PluginHost::ReviewAfterGrace(AttemptPtr attempt) {
  TimerFor(attempt, config_.attach_grace, &PluginHost::OnReview);
}

void PluginHost::OnValidationTimeout(const AttemptPtr& attempt) {
  if (attempt->StopValidation()) TimerFor(attempt, attempt->request().kill_grace + kForgotten, &PluginHost::OnGraceOver);
}

void PluginHost::Validate(AttemptKey key) {
  const AttemptPtr attempt = Find(key);
  if (attempt == nullptr) return;
  // It is loaded in every host, named or not.
  if (!attempt->Validate(&executors_.Find("command")->library->executor())) return;
  TimerFor(attempt, std::min(attempt->request().validation.timeout, kLongestTimeout), &PluginHost::OnValidationTimeout);
}

void PluginHost::StopOne(const AttemptPtr& attempt, EndReason reason, absl::Duration grace, bool by_master) {
  if (attempt->Stop(reason, false, by_master)) TimerFor(attempt, grace, &PluginHost::OnGraceOver);
}

void PluginHost::Stop(AttemptKey key, EndReason reason, absl::Duration kill_grace) {
  const AttemptPtr attempt = Find(key);
  if (attempt == nullptr) return;
  const absl::Duration own = attempt->request().kill_grace + kForgotten;
  StopOne(attempt, reason, std::min(kill_grace, own), true);
}

void PluginHost::Kill(AttemptKey key, EndReason reason) {
  if (const AttemptPtr attempt = Find(key)) attempt->Stop(reason, true, true);
}

void PluginHost::Ended(AttemptPtr attempt, AttemptReportPtr report) {
  std::vector<HostLoop::Timer> timers;
  const bool keep = attempt->MustOutliveFinish();
  {
    absl::MutexLock lock(&mutex_);
    ++ending_;
    const auto found = rows_.find(attempt->key());
    if (found != rows_.end()) {
      timers = std::move(found->second.timers);
      rows_.erase(found);
    }
    if (keep) finished_.push_back(attempt);
  }
  for (const HostLoop::Timer& timer : timers) loop_->Cancel(timer);
  if (directories_->GiveBack(attempt->TakeLease())) janitor_->Wake();
  listener_->OnEnded(std::move(report));
  absl::MutexLock lock(&mutex_);
  --ending_;
}

void PluginHost::DestroyFinished() {
  std::vector<AttemptPtr> finished;
  {
    absl::MutexLock lock(&mutex_);
    finished.swap(finished_);
  }
  for (const AttemptPtr& attempt : finished) attempt->DestroyExecution();
}

void PluginHost::Subscribe(AttemptKey key, plugin::Stream stream, int64_t offset, bool lossless) {
  if (const AttemptPtr attempt = Find(key)) attempt->Subscribe(stream, offset, lossless);
}

void PluginHost::Acknowledge(AttemptKey key, plugin::Stream stream, int64_t offset) {
  if (const AttemptPtr attempt = Find(key)) attempt->Acknowledge(stream, offset);
}

void PluginHost::Pause(AttemptKey key, plugin::Stream stream) {
  if (const AttemptPtr attempt = Find(key)) attempt->Pause(stream);
}

void PluginHost::Detach(AttemptKey key, plugin::Stream stream) {
  if (const AttemptPtr attempt = Find(key)) attempt->Detach(stream);
}

int64_t PluginHost::FreeMemoryBytes() const {
  const int64_t available = AvailableMemoryBytes();
  return config_.memory_limit_bytes > 0 ? std::min(available, config_.memory_limit_bytes) : available;
}

}  // namespace muster::execution
