// A master among workers that say anything: joins, heartbeats, hellos, reports in any order, with any names and
// numbers, while clients submit and cancel, people set and pause queues, time passes and the master restarts.
//
// Claims: what passes the edge's checks breaks no invariant of the core, and no promise about its rows; what is stored
// can be shown, and a master starts on it again.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"
#include "master/core/cluster_core.h"
#include "master/dispatcher/report_reader.h"
#include "master/request_handler/queue_change.h"
#include "master/request_handler/registry_service.h"
#include "master/request_handler/validate.h"
#include "muster/v1/registry_service.pb.h"
#include "conversations.pb.h"
#include "tests/fuzz/message_input.h"
#include "tests/support/memory_store.h"

namespace muster::fuzz {
namespace {

constexpr int kMostSteps = 60;
constexpr int kMostTasksOfACall = 32;
constexpr size_t kMostShown = 4;  // JSON is dear

void CheckShown(const google::protobuf::Message& message) {
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json);
  MUSTER_CLAIM(status.ok(), absl::StrCat(status.ToString(), "\n", message.ShortDebugString()));
}

class Conversation {
 public:
  Conversation() { Restart(); }

  void Play(ToMaster& input) {
    int steps = 0;
    for (ToMaster::Step& step : *input.mutable_steps()) {
      if (++steps > kMostSteps) break;
      Take(step);
    }
    Restart();
    CheckWhatIsShown();
  }

 private:
  struct Link {
    WorkerId worker;
    SessionNumber session;
  };

  void Take(ToMaster::Step& step) {
    switch (step.what_case()) {
      case ToMaster::Step::kJoin: return Join(step.join());
      case ToMaster::Step::kHeartbeat: return Heartbeat(step.heartbeat());
      case ToMaster::Step::kReport: return Report(step.mutable_report());
      case ToMaster::Step::kClose:
        return Apply(core::SessionClosed{links_[step.close()].worker, links_[step.close()].session, "closed"});
      case ToMaster::Step::kSubmit: return Submit(step.submit());
      case ToMaster::Step::kCancel:
        return Apply(core::CancelTasks{.call = Call(), .tasks = {{TaskId(step.cancel()), 1}}, .by = "x", .reason = "y"});
      case ToMaster::Step::kPassMilliseconds: now_ += absl::Milliseconds(step.pass_milliseconds()); return Turn();
      case ToMaster::Step::kRestart: return Restart();
      case ToMaster::Step::kDrain: return Apply(core::DrainWorker{.call = Call(), .name = step.drain(), .reason = "z"});
      case ToMaster::Step::kResume: return Apply(core::ResumeWorker{.call = Call(), .name = step.resume()});
      case ToMaster::Step::kSetQueue: return SetQueue(step.set_queue());
      case ToMaster::Step::kPauseQueue: return PauseQueue(step.pause_queue());
      case ToMaster::Step::kResumeQueue:
        if (!handler::CheckQueueName(step.resume_queue()).ok()) return;
        return Apply(core::ResumeQueue{.call = Call(), .name = step.resume_queue(), .by = "x"});
      case ToMaster::Step::WHAT_NOT_SET: return;
    }
  }

  void Join(const v1::JoinRequest& request) {
    if (!handler::CheckJoin(request).ok()) return;
    Apply(core::WorkerJoin{.call = Call(),
                           .name = request.name(),
                           .incarnation = Incarnation(request.incarnation()),
                           .address = request.address(),
                           .version = request.version(),
                           .offer = convert::FromProto(request.offer()),
                           .load = convert::FromProto(request.load()),
                           .draining = request.draining()});
  }

  void Heartbeat(const v1::HeartbeatRequest& request) {
    if (!handler::CheckHeartbeat(request).ok()) return;
    core::WorkerHeartbeat heartbeat{.call = Call(),
                                    .name = request.name(),
                                    .incarnation = Incarnation(request.incarnation()),
                                    .load = convert::FromProto(request.load()),
                                    .draining = request.draining()};
    if (request.has_offer()) heartbeat.offer = convert::FromProto(request.offer());
    Apply(std::move(heartbeat));
  }

  void Report(ToMaster::Report* report) {
    const Link link = links_[report->worker()];
    const SessionNumber session(link.session.value() + report->session_offset());
    if (report->message().has_hello()) {
      absl::StatusOr<core::SessionOpened> opened = dispatcher::ReadHello(report->message().hello(), link.worker, session);
      if (opened.ok()) Apply(*std::move(opened));
    }
    Apply(dispatcher::ReadReports(report->mutable_message(), link.worker, session).event);
  }

  void SetQueue(const v1::UpdateQueueRequest& request) {
    absl::StatusOr<QueueChange> change = handler::ReadChange(request);
    if (!change.ok()) return;
    Apply(core::UpdateQueue{.call = Call(), .name = request.name(), .reset = request.reset(), .change = *std::move(change), .by = "x"});
  }

  void PauseQueue(const v1::PauseQueueRequest& request) {
    absl::StatusOr<core::PauseQueue> pause = handler::ReadPause(request, now_);
    if (!pause.ok()) return;
    pause->call = Call();
    Apply(*std::move(pause));
  }

  void Submit(v1::SubmitBatchRequest request) {
    const handler::TaskLimits limits;
    handler::Violations violations;
    handler::PatternCheck patterns;
    for (const v1::TaskSpec& task : request.tasks()) handler::CheckSpec(task, "task", limits, &patterns, &violations);
    if (request.has_template_()) handler::CheckSpec(request.template_(), "template", limits, &patterns, &violations);
    if (request.has_template_()) handler::CheckRows(request, limits, &violations);
    handler::CheckRequestId(request.request_id(), &violations);
    const bool together = request.tasks_size() > 0;
    if (!violations.empty() || (!together && !request.has_template_())) return;
    if (request.tasks_size() > kMostTasksOfACall || request.rows_size() > kMostTasksOfACall) return;
    // As the edge does: what the store has an answer for does not come to the core.
    const auto is_known = [&request](const core::RequestRow& row) { return row.request_id == request.request_id(); };
    const std::vector<core::RequestRow>& answered = store_.requests();
    if (!request.request_id().empty() && std::any_of(answered.begin(), answered.end(), is_known)) return;
    core::SubmitTasks event{.call = Call()};
    event.request = {.owner = "x", .id = request.request_id(), .digest = handler::DigestOf(request)};
    if (together) {
      for (v1::TaskSpec& task : *request.mutable_tasks()) event.tasks.push_back({.spec = handler::AcceptSpec(&task)});
    } else {
      event.batch_spec = handler::AcceptSpec(request.mutable_template_());
      event.batch_rows = handler::MakeRows(&request);
    }
    Apply(std::move(event));
  }

  CallId Call() { return CallId(++calls_); }

  void Apply(core::Event event) {
    core::Effects effects;
    core_->Apply(std::move(event), now_, &effects);
    core_->Turn(now_, &effects);
    Finish(effects);
  }

  void Turn() {
    core::Effects effects;
    core_->Turn(now_, &effects);
    Finish(effects);
  }

  void Restart() {
    core_ = std::make_unique<core::ClusterCore>(core::CoreConfig(), store_.LoadOpen());
    core::Effects effects;
    core_->Start(now_, &effects);
    core_->Turn(now_, &effects);
    Finish(effects);
  }

  void Finish(const core::Effects& effects) {
    const std::string wrong = store_.Commit(effects.transaction);
    MUSTER_CLAIM(wrong.empty(), wrong);
    core_->CheckInvariants();
    for (const core::Effect& effect : effects.effects) {
      if (const auto* open = std::get_if<core::OpenSession>(&effect)) links_[open->name] = {open->worker, open->session};
    }
  }

  void CheckWhatIsShown() const {
    for (const WorkerView& worker : core_->Workers()) {
      v1::Worker shown;
      convert::ToProto(worker, &shown);
      CheckShown(shown);
    }
    for (const QueueView& queue : core_->Queues(now_)) {
      v1::Queue shown;
      convert::ToProto(queue, &shown);
      CheckShown(shown);
    }
    const std::vector<activity::Record>& records = store_.activity();
    for (size_t i = records.size() - std::min<size_t>(records.size(), kMostShown); i < records.size(); ++i) {
      v1::ActivityRecord shown;
      convert::ToProto(records[i], &shown);
      CheckShown(shown);
    }
    size_t reports = 0;
    for (const auto& [id, task] : store_.tasks()) {
      if (!task.outcome || task.outcome->report == nullptr || ++reports > kMostShown) continue;
      v1::AttemptResult shown;
      convert::ToProto(*task.outcome->report, &shown);
      CheckShown(shown);
    }
  }

  testing::MemoryStore store_;
  absl::Time now_ = absl::FromUnixSeconds(1'800'000'000);
  std::unique_ptr<core::ClusterCore> core_;
  std::map<std::string, Link> links_;
  uint64_t calls_ = 0;
};

}  // namespace
}  // namespace muster::fuzz

using muster::fuzz::ToMaster;

MUSTER_MESSAGE_FUZZ(ToMaster, input) { muster::fuzz::Conversation().Play(input); }
