#include "master/dispatcher/worker_session.h"

#include <cerrno>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"
#include "common/telemetry/log.h"
#include "master/dispatcher/report_reader.h"

namespace muster::dispatcher {
namespace {

std::chrono::system_clock::time_point FromNow(absl::Duration wait) {
  return std::chrono::system_clock::now() + absl::ToChronoMilliseconds(wait);
}

std::string WhyEnded(const grpc::Status& status) {
  if (status.ok()) return "the worker ended the session";
  return absl::StrCat("the session broke: ", status.error_message());
}

}  // namespace

std::shared_ptr<WorkerSession> WorkerSession::Make(const core::OpenSession& order,
                                                   std::shared_ptr<grpc::Channel> channel, const SessionPorts* ports,
                                                   Done done) {
  return std::shared_ptr<WorkerSession>(new WorkerSession(order, std::move(channel), ports, std::move(done)));
}

WorkerSession::WorkerSession(const core::OpenSession& order, std::shared_ptr<grpc::Channel> channel,
                             const SessionPorts* ports, Done done)
    : order_(order),
      ports_(ports),
      done_(std::move(done)),
      channel_(std::move(channel)),
      stub_(v1::WorkerService::NewStub(channel_)),
      queue_(ports->bounds, [this](const core::Assign& assign) { RefuseTooLarge(assign); }),
      outbox_({.start_write = [this](const v1::SessionRequest* message) { StartWrite(message); },
               .finish = [this](const grpc::Status&) { OnOutboxFinished(); },
               .fill = [this](v1::SessionRequest* message) { return Fill(message); }}) {}

void WorkerSession::Begin() {
  self_ = shared_from_this();
  stub_->async()->Session(&context_, this);
  AddHold();  // writes start from outside of reactions until the outbox has finished
  StartRead(&response_);
  // Weak: an alarm keeps its callback as long as it lives itself.
  hello_alarm_.Set(FromNow(ports_->hello_timeout), [weak = weak_from_this()](bool expired) {
    const std::shared_ptr<WorkerSession> self = weak.lock();
    if (expired && self != nullptr && !self->reachable()) self->Close("no Hello in time", true);
  });
  StartCall();
  outbox_.Wake();
}

void WorkerSession::Leave() {
  {
    absl::MutexLock lock(&mutex_);
    if (close_reason_.empty()) close_reason_ = "the master left";
    tell_ = false;
  }
  leaving_ = true;
  v1::SessionRequest message;
  while (reachable() && queue_.Fill(&message) && outbox_.Push(message, message.ByteSizeLong())) message.Clear();
  outbox_.Finish(grpc::Status::OK);
}

void WorkerSession::OnOutboxFinished() {
  if (leaving_) StartWritesDone();
  RemoveHold();
}

void WorkerSession::Close(std::string reason, bool tell) {
  {
    absl::MutexLock lock(&mutex_);
    if (close_reason_.empty()) close_reason_ = std::move(reason);
    tell_ = tell_ && tell;
  }
  context_.TryCancel();  // the read in flight then fails, and everything ends from there
}

bool WorkerSession::Fill(v1::SessionRequest* message) {
  if (!open_sent_.exchange(true)) {
    v1::OpenSession* open = message->mutable_open();
    open->set_cluster_id(ports_->cluster_id);
    open->set_epoch(ports_->epoch.value());
    open->set_session(order_.session.value());
  } else if (!reachable() || !queue_.Fill(message)) {
    return false;
  }
  ports_->metrics->messages_sent.Increment();
  ports_->metrics->assignments_sent.Increment(message->assignments_size());
  return true;
}

void WorkerSession::OnReadDone(bool ok) {
  if (!ok) {
    hello_alarm_.Cancel();
    outbox_.Abort(grpc::Status::OK);
    return;
  }
  ports_->metrics->messages_received.Increment();
  if (!reachable()) {
    if (!TakeHello()) {
      StartRead(&response_);  // fails, because the call is cancelled
      return;
    }
  } else if (response_.has_hello()) {
    Close("the worker said Hello twice", true);
    StartRead(&response_);
    return;
  }
  TakeReports();
  TakeOutput();
  TakeLogs();
  ReadOn();
}

bool WorkerSession::TakeHello() {
  absl::StatusOr<core::SessionOpened> opened =
      response_.has_hello() ? ReadHello(response_.hello(), order_.worker, order_.session)
                            : absl::InvalidArgumentError("the worker's first message is no Hello");
  if (!opened.ok()) {
    Close(std::string(opened.status().message()), true);
    return false;
  }
  hello_alarm_.Cancel();
  MUSTER_LOG(kInfo, "session open",
             {{"worker", order_.name}, {"address", order_.address}, {"session", order_.session.value()},
              {"held", opened->held.size()}});
  ports_->events->PostAlways(*std::move(opened));
  reachable_ = true;
  if (ports_->output != nullptr) ports_->output->OnWorkerReachable(order_.worker);
  outbox_.Wake();
  return true;
}

void WorkerSession::TakeReports() {
  Reports reports = ReadReports(&response_, order_.worker, order_.session);
  if (reports.malformed > 0) {
    ports_->metrics->malformed_reports.Increment(static_cast<double>(reports.malformed));
    MUSTER_LOG(kWarning, "malformed reports dropped", {{"worker", order_.name}, {"count", reports.malformed}});
  }
  if (!reports.Empty()) ports_->events->PostAlways(std::move(reports.event));
}

void WorkerSession::TakeOutput() {
  for (v1::AttemptOutput& output : *response_.mutable_output()) {
    if (!IsPossible(output.key()) || output.offset() < 0 || output.skipped_bytes() < 0 ||
        (output.stream() != v1::OUTPUT_STREAM_STDOUT && output.stream() != v1::OUTPUT_STREAM_STDERR)) {
      ports_->metrics->malformed_reports.Increment();
      continue;
    }
    ports_->metrics->output_bytes.Increment(static_cast<double>(output.data().size()));
    if (ports_->output == nullptr) continue;
    ports_->output->OnOutput(convert::FromProto(output.key()), static_cast<core::OutputStreamKind>(output.stream()),
                             output.offset(), std::move(*output.mutable_data()), output.skipped_bytes());
  }
}

void WorkerSession::TakeLogs() {
  for (const v1::AttemptLog& line : response_.logs()) {
    MUSTER_LOG(kDebug, "executor",
               {{"worker", order_.name}, {"task", line.key().task()}, {"attempt", line.key().attempt()},
                {"severity", line.severity()}, {"text", line.message()}});
  }
}

void WorkerSession::ReadOn() {
  if (!ports_->congested || !ports_->congested()) {
    StartRead(&response_);
    return;
  }
  ports_->metrics->paused_reads.Increment();
  // No OnDone before the next read has failed: `this` stays.
  read_alarm_ = std::make_unique<grpc::Alarm>();
  read_alarm_->Set(FromNow(ports_->congestion_pause), [this](bool) { ReadOn(); });
}

void WorkerSession::OnDone(const grpc::Status& status) {
  std::string reason;
  bool tell;
  {
    absl::MutexLock lock(&mutex_);
    reason = close_reason_.empty() ? WhyEnded(status) : close_reason_;
    tell = tell_;
  }
  reachable_ = false;
  ports_->metrics->sessions_ended.Increment();
  MUSTER_LOG(kInfo, "session ended",
             {{"worker", order_.name}, {"session", order_.session.value()}, {"reason", reason}});
  if (tell) {
    ports_->events->PostAlways(
        core::SessionClosed{.worker = order_.worker, .session = order_.session, .reason = std::move(reason)});
  }
  done_(std::move(self_));
}

// It never reaches the worker: the master speaks for it, and the task fails with a reason that can be acted on.
void WorkerSession::RefuseTooLarge(const core::Assign& assign) {
  auto report = std::make_shared<AttemptReport>();
  report->key = assign.key;
  report->end.reason = EndReason::kStartFailed;
  report->end.start_errno = E2BIG;
  report->end.message = "the task with its arguments is larger than a message to a worker may be";
  report->end_time = absl::Now();
  core::WorkerReports reports{.worker = order_.worker, .session = order_.session};
  reports.results.push_back(std::move(report));
  ports_->events->PostAlways(std::move(reports));
}

}  // namespace muster::dispatcher
