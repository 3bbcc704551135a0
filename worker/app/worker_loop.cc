#include "worker/app/worker_loop.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/base/check.h"
#include "common/base/id_text.h"
#include "common/base/planted_fault.h"
#include "common/base/refusal.h"
#include "common/telemetry/log.h"
#include "worker/core/unstarted_report.h"
#include "worker/session/attempt_work.h"

namespace muster::worker {
namespace {

// Senders bound themselves: streams by Processed(), the host by slots.
constexpr size_t kMailboxLimit = 65536;

execution::AttemptRequest ToRequest(AttemptWork work) {
  execution::AttemptRequest request;
  request.key = work.key;
  request.request = std::move(work.request);
  request.run_timeout = work.run_timeout;
  request.kill_grace = work.kill_grace;
  request.lossless = work.lossless;
  request.validation = std::move(work.validation);
  request.outputs = std::move(work.outputs);
  return request;
}

// The core hands back what the session made; nobody else holds it any more.
AttemptWork TakeWork(std::shared_ptr<const void> work) {
  return std::move(*std::const_pointer_cast<AttemptWork>(std::static_pointer_cast<const AttemptWork>(work)));
}

}  // namespace

WorkerLoop::WorkerLoop(const std::string& worker, WorkerCoreConfig config)
    : mailbox_(kMailboxLimit), core_(config), narration_(worker), view_(core_.View()) {}
WorkerLoop::~WorkerLoop() { Stop(); }

void WorkerLoop::Post(SessionMessage message) { mailbox_.PostAlways(std::move(message)); }

void WorkerLoop::Post(WorkerEvent event) {
  SessionMessage message;
  message.events.push_back(std::move(event));
  mailbox_.PostAlways(std::move(message));
}

void WorkerLoop::Start(Parts parts) {
  parts_ = std::move(parts);
  thread_ = std::thread([this] { Run(); });
}

void WorkerLoop::Stop() {
  mailbox_.Close();
  if (thread_.joinable()) thread_.join();
}

WorkerCoreView WorkerLoop::view() const {
  absl::MutexLock lock(&view_mutex_);
  return view_;
}

void WorkerLoop::Run() {
  std::vector<SessionMessage> messages;
  std::vector<WorkerEffect> effects;
  while (mailbox_.Take(&messages, WaitFor())) {
    for (SessionMessage& message : messages) Take(std::move(message));
    messages.clear();
    const absl::Time now = parts_.clock->Now();
    core_.Tick(now, &effects);
    Carry(&effects, now);
    PublishView();
    output_waits_ = parts_.relay->Resume();
    FlushReports();
  }
}

void WorkerLoop::Take(SessionMessage message) {
  std::vector<WorkerEffect> effects;
  absl::Time now = absl::InfinitePast();
  for (WorkerEvent& event : message.events) {
    const auto* ended = std::get_if<SessionEnded>(&event);
    // The result is durable at the master, and still kept here.
    if (std::holds_alternative<ResultAcknowledged>(event)) MayDieAt("after_result");
    const bool ours = ended != nullptr && core_.IsCurrent(ended->stream);
    const uint64_t ended_stream = ours ? ended->stream.value() : 0;
    now = parts_.clock->Now();
    core_.Apply(std::move(event), now, &effects);
    if (!ours) continue;
    session_ = nullptr;
    parts_.relay->SetSession(nullptr);
    MUSTER_LOG(kInfo, "session ended", {{"stream", ended_stream}});
  }
  Carry(&effects, now);
  if (core_.IsCurrent(message.stream)) {
    for (const OutputOrder& order : message.output) {
      if (const auto phase = core_.PhaseOf(order.key)) parts_.relay->Apply(order, *phase);
    }
  }
  if (!message.stream) return;
  if (const auto session = parts_.service->Find(message.stream)) session->Processed();
}

void WorkerLoop::Carry(std::vector<WorkerEffect>* effects, absl::Time now) {
  CarryOnce(effects);
  while (!unstarted_.empty()) {
    // At the time of the decision: the lease held then, so nothing is killed that was never started.
    for (AttemptReportPtr& report : std::exchange(unstarted_, {})) {
      core_.Apply(ExecutionEnded{std::move(report)}, now, effects);
    }
    CarryOnce(effects);
  }
}

void WorkerLoop::CarryOnce(std::vector<WorkerEffect>* effects) {
  // Told to the supervisor before an attempt starts that must not outlive the lease.
  const WorkerCoreView view = core_.View();
  parts_.fence->fenced_running.store(view.fenced_running);
  busy_ = view.waiting > 0;
  for (WorkerEffect& effect : *effects) {
    std::visit([this](auto& known) { Do(known); }, effect);
  }
  effects->clear();
}

void WorkerLoop::NarrateDrain(const WorkerCoreView& view) {
  for (std::string& line : narration_.Next(view, parts_.clock->Now())) {
    MUSTER_LOG(kInfo, "drain", {{"news", std::move(line)}});
  }
}

void WorkerLoop::PublishView() {
  WorkerCoreView view = core_.View();
  NarrateDrain(view);
  parts_.relay->SetLinger(view.waiting > 0 ? kLinger : absl::ZeroDuration());
  bool changed = false;
  {
    absl::MutexLock lock(&view_mutex_);
    changed = view.draining != view_.draining || view.refuses_because != view_.refuses_because;
    view_ = std::move(view);
  }
  if (changed) parts_.load_changed();
}

absl::Time WorkerLoop::DueFor() const {
  return busy_ ? parts_.clock->Now() + kLinger : absl::InfinitePast();
}

void WorkerLoop::FlushReports() {
  if (session_ != nullptr && session_->queue().DueAt() <= parts_.clock->Now()) session_->Wake();
}

absl::Duration WorkerLoop::WaitFor() const {
  const absl::Time now = parts_.clock->Now();
  absl::Duration wait = kLongestWait;
  wait = std::min(wait, core_.NextDue() - now);
  // What is due and was not taken waits for the write in flight, which asks again when it is done.
  if (session_ != nullptr && session_->queue().DueAt() > now) wait = std::min(wait, session_->queue().DueAt() - now);
  if (busy_ || output_waits_) wait = std::min(wait, kLinger);  // the host adds output without telling us
  return std::max(wait, absl::ZeroDuration());
}

// --- Effects

void WorkerLoop::Do(SendHello& effect) {
  session_ = parts_.service->Find(effect.stream);
  parts_.relay->SetSession(session_);
  parts_.metrics->sessions.Increment();
  MUSTER_LOG(kInfo, "session open", {{"held", effect.held.size()}});
  parts_.service->SendHello(std::move(effect));
}

void WorkerLoop::Do(RejectSession& effect) {
  parts_.metrics->sessions_refused.Increment();
  MUSTER_LOG(kWarning, "session not obeyed", {{"reason", effect.reason}});
  parts_.service->Reject(effect.stream, effect.reason);
}

void WorkerLoop::Do(StartExecution& effect) {
  AttemptWork work = TakeWork(std::move(effect.work));
  if (!work.broken.empty()) return ReportBroken(effect.key, work.broken);
  if (effect.before <= parts_.clock->Now()) return RefuseToStart(effect.key);
  parts_.metrics->started.Increment();
  MayDieAt("before_start");
  SetDeadline(&work, parts_.clock->Calendar());
  parts_.host->Start(ToRequest(std::move(work)));
  parts_.relay->Started(effect.key);
}

void WorkerLoop::Do(StartValidation& effect) {
  MayDieAt("before_validation");
  if (effect.before <= parts_.clock->Now()) return parts_.host->Kill(effect.key, EndReason::kLost);
  parts_.host->Validate(effect.key);
}

void WorkerLoop::ReportBroken(AttemptKey key, const std::string& why) {
  unstarted_.push_back(UnstartedReport(key, EndReason::kStartFailed, why, parts_.clock->Now()));
}

void WorkerLoop::RefuseToStart(AttemptKey key) {
  parts_.metrics->refused.Increment();
  MUSTER_LOG(kWarning, "attempt not started: the lease ended first",
             {{"task", IdToText(key.task.value())}, {"attempt", key.number.value()}});
  unstarted_.push_back(UnstartedReport(key, EndReason::kRejected, "the worker's lease ended before it could be started",
                                       parts_.clock->Now()));
}

void WorkerLoop::Do(StopExecution& effect) {
  if (effect.by_force) {
    parts_.metrics->fenced.Increment();
    MUSTER_LOG(kWarning, "attempt killed", {{"task", IdToText(effect.key.task.value())},
                                            {"attempt", effect.key.number.value()},
                                            {"reason", EndReasonName(effect.reason)}});
    parts_.host->Kill(effect.key, effect.reason);
  } else {
    parts_.host->Stop(effect.key, effect.reason, effect.kill_grace);
  }
}

// A started report alone is worth no message of its own: it waits a little for what follows it.
void WorkerLoop::Do(SendStarted& effect) {
  MayDieAt("after_start");
  if (session_ != nullptr) {
    session_->queue().AddStarted(effect.key, effect.time, parts_.clock->Now() + kLinger);
  }
}

void WorkerLoop::Do(SendValidating& effect) {
  if (session_ != nullptr) session_->queue().AddValidating(effect.key, effect.time);
}

void WorkerLoop::Do(SendResult& effect) {
  MayDieAt("before_result");
  parts_.metrics->results_sent.Increment();
  if (session_ != nullptr) session_->queue().AddResult(std::move(effect.report), DueFor());
}

void WorkerLoop::Do(SendGivenBack& effect) {
  parts_.metrics->given_back.Increment();
  parts_.relay->Forget(effect.key);
  if (session_ != nullptr) session_->queue().AddGivenBack(effect.key);
}

void WorkerLoop::Do(SendRefusal& effect) {
  parts_.metrics->refused.Increment();
  MUSTER_LOG(kDebug, "attempt refused",
             {{"task", IdToText(effect.key.task.value())}, {"attempt", effect.key.number.value()},
              {"reason", effect.reason}});
  if (session_ != nullptr) session_->queue().AddRefusal(effect.key, std::move(effect.reason));
}

void WorkerLoop::Do(StartDirect& effect) {
  AttemptWork work = TakeWork(std::move(effect.work));
  const AttemptKey key = work.key;
  parts_.metrics->direct.Increment();
  MUSTER_LOG(kInfo, "direct execution started", {{"direct", DirectName(effect.direct)}});
  SetDeadline(&work, parts_.clock->Calendar());
  parts_.host->Start(ToRequest(std::move(work)));
  for (const plugin::Stream stream : {plugin::Stream::kStdout, plugin::Stream::kStderr}) {
    parts_.host->Subscribe(key, stream, 0, true);
  }
}

void WorkerLoop::Do(StartDirectValidation& effect) { parts_.host->Validate(DirectKey(effect.direct)); }

void WorkerLoop::Do(StopDirect& effect) {
  parts_.host->Stop(DirectKey(effect.direct), EndReason::kPreempted, absl::InfiniteDuration());
}

void WorkerLoop::Do(RefuseDirect& effect) {
  parts_.metrics->direct_refused.Increment();
  MUSTER_LOG(kInfo, "direct execution refused", {{"direct", DirectName(effect.direct)}, {"reason", effect.reason}});
  if (const auto call = parts_.service->direct().Find(effect.direct)) {
    call->Refuse(Refuse(absl::StatusCode::kResourceExhausted, "NO_FREE_SLOT", effect.reason));
  }
}

void WorkerLoop::Do(ClusterChanged& effect) {
  MUSTER_LOG(kError, "a master of another cluster took over: the attempts of the former one are stopped",
             {{"from", effect.from}, {"to", effect.to}, {"stopped", effect.stopped},
              {"dropped_results", effect.dropped_results}});
}

void WorkerLoop::Do(Orphaned& effect) {
  parts_.metrics->orphaned.Increment();
  MUSTER_LOG(kWarning, "an attempt of the former cluster ended",
             {{"task", IdToText(effect.report->key.task.value())}, {"attempt", effect.report->key.number.value()},
              {"end", Describe(effect.report->end)}});
}

void WorkerLoop::Do(DrainFinished& effect) { parts_.drained(effect.unacknowledged); }

}  // namespace muster::worker
