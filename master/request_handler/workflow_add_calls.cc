#include "master/request_handler/workflow_add_calls.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/context.h"
#include "master/request_handler/validate.h"
#include "master/request_handler/workflow_view.h"

namespace muster::handler {
namespace {

absl::Status Ended() {
  return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_HAS_ENDED", "it has ended; tasks can be added while one of its own goes on");
}

// What is asked for: these tasks, for this workflow.
Digest DigestOfAddition(TaskId workflow, const v1::RunWorkflowRequest& whole) {
  const Digest content = DigestOf(whole);
  Sha256 digest;
  digest.Update(absl::StrCat("add to ", workflow.value(), "\n"));
  digest.Update({reinterpret_cast<const char*>(content.data()), content.size()});
  return digest.Finish();
}

// Names are a workflow's own: the same tasks a second time are the same call.
std::string IdOfContent(TaskId workflow, const Digest& digest) {
  return absl::StrCat("add-", IdToText(workflow.value()), "-",
                      absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size() / 2}));
}

int64_t TaskCount(const std::vector<core::NewNode>& nodes) {
  int64_t count = 0;
  for (const core::NewNode& node : nodes) count += node.rows == nullptr ? 1 : static_cast<int64_t>(node.rows->size());
  return count;
}

}  // namespace

void WorkflowAddCalls::Add(std::shared_ptr<WorkflowIntake> intake, const ChangeRight& right,
                           v1::AddToWorkflowResponse* response, const Done& done) {
  const absl::StatusOr<store::StoredWorkflow> found = reader_->Find(intake->selector());
  if (!found.ok()) return done(found.status());
  if (absl::Status theirs = right.Check("the workflow", found->row.spec->owner); !theirs.ok()) return done(theirs);
  WaitForTurn(found->row.id, std::move(intake), response, done);
}

void WorkflowAddCalls::WaitForTurn(TaskId id, std::shared_ptr<WorkflowIntake> intake, v1::AddToWorkflowResponse* response, const Done& done) {
  const std::string turn = absl::StrCat(id.value());
  const auto again = [this, id, intake, response, done] {
    if (!context_->pool.PostAlways([this, id, intake, response, done] { WaitForTurn(id, intake, response, done); })) done(PoolIsFull());
  };
  if (!gate_.Enter(turn, again)) return;
  AddInTurn(id, intake.get(), response, [this, turn, done](const absl::Status& status) {
    done(status);
    gate_.Leave(turn);
  });
}

void WorkflowAddCalls::AddInTurn(TaskId id, WorkflowIntake* intake, v1::AddToWorkflowResponse* response, const Done& done) {
  absl::StatusOr<store::StoredWorkflow> stored = reader_->Find(absl::StrCat("id:", IdToText(id.value())));
  if (!stored.ok()) return done(stored.status());
  core::RequestKey request{.owner = stored->row.spec->owner, .id = intake->whole().request_id()};
  request.digest = DigestOfAddition(id, intake->whole());
  if (request.id.empty()) request.id = IdOfContent(id, request.digest);
  const absl::StatusOr<KnownRequest> known = context_->LookUp(request);
  if (!known.ok()) return done(known.status());
  if (known->workflow == id) return done(AnswerRepeated(id, *known, response));
  if (HasEnded(stored->state.state)) return done(Ended());
  absl::StatusOr<core::AddToWorkflow> event = Prepare(id, intake);
  if (!event.ok()) return done(event.status());
  event->request = request;
  event->id_is_taken = known->id_is_taken;
  response->set_task_count(TaskCount(event->nodes));
  context_->Post(*std::move(event), [this, id, request, response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (!answer.ok()) return done(answer.status());
    if (answer->repeated) {  // accepted since the store was asked
      const auto show = [this, id, request, response, done] {
        const absl::StatusOr<KnownRequest> known = context_->LookUp(request);
        done(known.ok() ? AnswerRepeated(id, *known, response) : known.status());
      };
      if (!context_->pool.Post(show)) done(PoolIsFull());
      return;
    }
    ToProto(answer->workflow, response->mutable_workflow());
    response->mutable_warnings()->Assign(answer->warnings.begin(), answer->warnings.end());
    done(absl::OkStatus());
  });
}

absl::Status WorkflowAddCalls::AnswerRepeated(TaskId id, const KnownRequest& known, v1::AddToWorkflowResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(const store::StoredWorkflow stored, reader_->Find(absl::StrCat("id:", IdToText(id.value()))));
  response->set_task_count(TasksMadeBy(known, stored));
  return reader_->Show(stored, response->mutable_workflow());
}

absl::StatusOr<core::AddToWorkflow> WorkflowAddCalls::Prepare(TaskId id, WorkflowIntake* intake) {
  using View = std::optional<core::WorkflowView>;
  MUSTER_ASSIGN_OR_RETURN(const View view, AskLoop<View>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                                         [id](const core::ClusterCore& core) { return core.FindWorkflow(id); }));
  if (!view) return Ended();
  v1::WorkflowSpec there;
  if (!there.ParseFromString(view->spec->payload)) return absl::DataLossError("the workflow's specification cannot be read");
  for (v1::WorkflowNode& node : *intake->whole().mutable_workflow()->mutable_nodes()) node.mutable_task()->set_owner(view->spec->owner);
  MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow checked, CheckAddition(there, &intake->whole(), context_->deps.limits));
  const std::vector<TaskSpecPtr> specs = AcceptNodes(context_->deps.queues, &checked);
  MUSTER_ASSIGN_OR_RETURN(const KnownTimes times, context_->MedianTimes(specs));
  core::SubmitWorkflow whole = MakeSubmitWorkflow(std::move(checked), specs, times);
  return core::AddToWorkflow{.workflow = id, .before = view->spec, .after = std::move(whole.workflow), .nodes = std::move(whole.nodes)};
}

}  // namespace muster::handler
