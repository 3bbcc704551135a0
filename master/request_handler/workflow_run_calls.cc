#include "master/request_handler/workflow_run_calls.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/context.h"
#include "master/request_handler/validate.h"
#include "master/request_handler/workflow_plan.h"
#include "master/request_handler/workflow_view.h"
#include "master/workflows/plan.h"

namespace muster::handler {

void WorkflowRunCalls::Run(std::shared_ptr<WorkflowIntake> intake, v1::RunWorkflowResponse* response, Done done) {
  core::RequestKey request{.id = intake->whole().request_id()};
  if (!request.id.empty()) request.digest = DigestOf(intake->whole());
  absl::StatusOr<CheckedWorkflow> checked = CheckWorkflow(&intake->whole(), context_->deps.limits);
  if (!checked.ok()) return done(checked.status());
  const std::vector<TaskSpecPtr> specs = AcceptNodes(context_->deps.queues, &*checked);
  const absl::StatusOr<KnownTimes> times = context_->MedianTimes(specs);
  if (!times.ok()) return done(times.status());
  request.owner = specs.front()->owner;
  const absl::StatusOr<KnownRequest> before = context_->LookUp(request);
  if (!before.ok()) return done(before.status());
  if (before->workflow) return done(reader_->ShowById(before->workflow, response->mutable_workflow()));
  core::SubmitWorkflow event = MakeSubmitWorkflow(*std::move(checked), specs, *times);
  event.request = std::move(request);
  event.id_is_taken = before->id_is_taken;
  context_->Post(std::move(event), [this, response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (!answer.ok()) return done(answer.status());
    if (answer->repeated) {
      const auto show = [this, id = answer->id, response, done] { done(reader_->ShowById(id, response->mutable_workflow())); };
      if (!context_->pool.Post(show)) done(PoolIsFull());
      return;
    }
    ToProto(answer->workflow, response->mutable_workflow());
    response->mutable_warnings()->Assign(answer->warnings.begin(), answer->warnings.end());
    done(absl::OkStatus());
  });
}

absl::Status WorkflowRunCalls::Plan(WorkflowIntake* intake, v1::PlanWorkflowResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow checked, CheckWorkflow(&intake->whole(), context_->deps.limits));
  const std::vector<TaskSpecPtr> specs = AcceptNodes(context_->deps.queues, &checked);
  MUSTER_ASSIGN_OR_RETURN(const KnownTimes times, context_->MedianTimes(specs));
  ToProto(workflows::MakePlan(checked.graph, times), checked.graph, checked.spec, response);
  return absl::OkStatus();
}

}  // namespace muster::handler
