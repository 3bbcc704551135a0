#include "cli/activity_text.h"

#include "absl/strings/str_cat.h"
#include "cli/text.h"
#include "cli/workflow_page.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

std::string Why(const std::string& reason) { return reason.empty() ? "" : absl::StrCat(": ", reason); }

std::string End(v1::EndReason reason, int code) {
  const bool with_code = reason == v1::END_REASON_EXITED || reason == v1::END_REASON_SIGNALED;
  if (reason == v1::END_REASON_UNSPECIFIED) return "";
  return absl::StrCat(" ", EndReasonName(reason), with_code ? absl::StrCat("(", code, ")") : "");
}

}  // namespace

std::string ActivityText(const v1::ActivityRecord& record) {
  using R = v1::ActivityRecord;
  switch (record.event_case()) {
    case R::kMasterStarted: {
      const auto& e = record.master_started();
      return absl::StrCat("MasterStarted epoch ", e.epoch(), ", version ", e.version(), ", last end ", e.last_end_clean() ? "clean" : "not clean",
                          ", ", e.open_task_count(), " open tasks");
    }
    case R::kMasterStopped:
      return absl::StrCat("MasterStopped", Why(record.master_stopped().reason()));
    case R::kTaskAccepted: {
      const auto& e = record.task_accepted();
      return absl::StrCat("TaskAccepted ", e.task_id(), e.count() > 1 ? absl::StrCat(" and ", e.count() - 1, " more") : "",
                          e.batch_id().empty() ? "" : absl::StrCat(" in batch ", e.batch_id()), " by ", e.owner(), " into ", e.queue());
    }
    case R::kTaskStateChanged: {
      const auto& e = record.task_state_changed();
      return absl::StrCat("TaskStateChanged ", e.task_id(), " ", StateName(e.state()), Why(e.reason()));
    }
    case R::kAttemptDispatched: {
      const auto& e = record.attempt_dispatched();
      return absl::StrCat("AttemptDispatched ", e.task_id(), " attempt ", e.attempt(), " to ", e.worker());
    }
    case R::kAttemptStarted: {
      const auto& e = record.attempt_started();
      return absl::StrCat("AttemptStarted ", e.task_id(), " attempt ", e.attempt(), " on ", e.worker());
    }
    case R::kAttemptEnded: {
      const auto& e = record.attempt_ended();
      return absl::StrCat("AttemptEnded ", e.task_id(), " attempt ", e.attempt(), " on ", e.worker(), End(e.reason(), e.code()), Why(e.message()));
    }
    case R::kTaskEnded: {
      const auto& e = record.task_ended();
      return absl::StrCat("TaskEnded ", e.task_id(), " attempt ", e.attempt(), " ", StateName(e.state()), End(e.reason(), e.code()), Why(e.message()));
    }
    case R::kCancelRequested: {
      const auto& e = record.cancel_requested();
      return absl::StrCat("CancelRequested ", e.task_id(), e.by().empty() ? "" : absl::StrCat(" by ", e.by()), Why(e.reason()));
    }
    case R::kWorkerJoined: {
      const auto& e = record.worker_joined();
      return absl::StrCat("WorkerJoined ", e.worker(), " at ", e.address(), ", ", e.slots(), " slots, incarnation ", e.incarnation());
    }
    case R::kWorkerStateChanged: {
      const auto& e = record.worker_state_changed();
      return absl::StrCat("WorkerStateChanged ", e.worker(), " ", StateName(e.state()), Why(e.reason()));
    }
    case R::kWorkerLost: {
      const auto& e = record.worker_lost();
      return absl::StrCat("WorkerLost ", e.worker(), ", incarnation ", e.incarnation(), Why(e.reason()));
    }
    case R::kRequestsRefused: {
      const auto& e = record.requests_refused();
      return absl::StrCat("RequestsRefused ", e.count(), e.by().empty() ? "" : absl::StrCat(" of ", e.by()), Why(e.cause()));
    }
    case R::kStaleReport: {
      const auto& e = record.stale_report();
      return absl::StrCat("StaleReport ", e.task_id(), " attempt ", e.attempt(), " from ", e.worker(), Why(e.note()));
    }
    case R::kTasksPurged: {
      const auto& e = record.tasks_purged();
      return absl::StrCat("TasksPurged ", e.count(), " that ended before ", TimeText(convert::FromProto(e.ended_before())),
                          e.by().empty() ? "" : absl::StrCat(" by ", e.by()));
    }
    case R::kQueueChanged: {
      const auto& e = record.queue_changed();
      return absl::StrCat("QueueChanged ", e.queue(), ": ", e.what(), e.by().empty() ? "" : absl::StrCat(" by ", e.by()));
    }
    case R::kPlacementChanged: {
      const auto& e = record.placement_changed();
      return absl::StrCat("PlacementChanged ", e.what(), e.by().empty() ? "" : absl::StrCat(" by ", e.by()));
    }
    case R::kScheduleChanged: {
      const auto& e = record.schedule_changed();
      return absl::StrCat("ScheduleChanged ", e.schedule(), ": ", e.what(), e.by().empty() ? "" : absl::StrCat(" by ", e.by()));
    }
    case R::kScheduleDecided: {
      const auto& e = record.schedule_decided();
      return absl::StrCat("ScheduleDecided ", e.schedule(), ", due ", TimeText(convert::FromProto(e.due_time())), ": ", e.what(),
                          e.task_id().empty() ? "" : absl::StrCat(" as ", e.task_id()));
    }
    case R::kWorkflowStateChanged: {
      const auto& e = record.workflow_state_changed();
      return absl::StrCat("WorkflowStateChanged ", e.workflow_id(), " ", StateName(e.state()), Why(e.reason()));
    }
    case R::EVENT_NOT_SET:
      break;
  }
  return "(of a newer kind than this client knows)";
}

}  // namespace muster::cli
