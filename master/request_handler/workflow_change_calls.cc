#include "master/request_handler/workflow_change_calls.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/request_handler/context.h"
#include "master/request_handler/names.h"
#include "master/request_handler/task_view.h"
#include "master/request_handler/validate.h"
#include "master/request_handler/workflow_retry.h"
#include "master/request_handler/workflow_view.h"

namespace muster::handler {
namespace {

absl::Status Ended(WorkflowState state) {
  return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_HAS_ENDED",
                absl::StrCat("it has ended ", std::string(WorkflowStateName(state)), " already"));
}

}  // namespace

void WorkflowChangeCalls::Cancel(const v1::CancelWorkflowRequest& request, const ChangeRight& right, const std::string& by,
                                 v1::CancelWorkflowResponse* response, const Done& done) {
  if (absl::Status reason = CheckReason(request.reason()); !reason.ok()) return done(reason);
  const absl::StatusOr<store::StoredWorkflow> stored = reader_->Find(request.selector());
  if (!stored.ok()) return done(stored.status());
  if (absl::Status theirs = right.Check("the workflow", stored->row.spec->owner); !theirs.ok()) return done(theirs);
  if (HasEnded(stored->state.state)) return done(Ended(stored->state.state));
  core::CancelWorkflow event{.workflow = stored->row.id, .by = by, .reason = request.reason()};
  context_->Post(std::move(event), [response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (answer.ok()) ToProto(answer->workflow, response->mutable_workflow());
    done(answer.status());
  });
}

void WorkflowChangeCalls::Retry(const v1::RetryWorkflowRequest& request, const ChangeRight& right,
                                v1::RetryWorkflowResponse* response, const Done& done) {
  Violations violations;
  CheckRequestId(request.request_id(), &violations);
  if (!violations.empty()) return done(violations.ToStatus());
  const absl::StatusOr<store::StoredWorkflow> found = reader_->Find(request.selector());
  if (!found.ok()) return done(found.status());
  if (absl::Status theirs = right.Check("the workflow", found->row.spec->owner); !theirs.ok()) return done(theirs);
  // One at a time of a workflow: what is to be tried again is read, and decided on, before the core takes it.
  const TaskId id = found->row.id;
  const std::string turn = absl::StrCat(id.value());
  const auto again = [this, &request, right, response, done] {
    const auto retry = [this, &request, right, response, done] { Retry(request, right, response, done); };
    if (!context_->pool.PostAlways(retry)) done(PoolIsFull());
  };
  if (!gate_.Enter(turn, again)) return;
  RetryInTurn(id, request, response, [this, turn, done](const absl::Status& status) {
    done(status);
    gate_.Leave(turn);
  });
}

void WorkflowChangeCalls::RetryInTurn(TaskId id, const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response,
                                      const Done& done) {
  const absl::StatusOr<store::StoredWorkflow> stored = reader_->Find(absl::StrCat("id:", IdToText(id.value())));
  if (!stored.ok()) return done(stored.status());
  core::RequestKey key{.owner = stored->row.spec->owner, .id = request.request_id()};
  if (!key.id.empty()) key.digest = DigestOf(request);
  const absl::StatusOr<KnownRequest> known = context_->LookUp(key);
  if (!known.ok()) return done(known.status());
  if (known->workflow) {
    response->set_task_count(TasksMadeBy(*known, *stored));
    return done(reader_->Show(*stored, response->mutable_workflow()));
  }
  int64_t task_count = 0;
  absl::StatusOr<core::RetryWorkflow> event = PrepareRetry(*stored, &task_count);
  if (!event.ok()) return done(event.status());
  event->request = std::move(key);
  event->id_is_taken = known->id_is_taken;
  context_->Post(*std::move(event), [this, stored = *stored, task_count, response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (!answer.ok()) return done(answer.status());
    response->set_task_count(task_count);
    if (!answer->repeated) {
      ToProto(answer->workflow, response->mutable_workflow());
      return done(absl::OkStatus());
    }
    const auto show = [this, stored, response, done] { done(reader_->Show(stored, response->mutable_workflow())); };
    if (!context_->pool.Post(show)) done(PoolIsFull());
  });
}

absl::StatusOr<core::RetryWorkflow> WorkflowChangeCalls::PrepareRetry(const store::StoredWorkflow& stored, int64_t* task_count) {
  if (!HasEnded(stored.state.state)) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_IS_OPEN", "it has not ended; what failed can be tried again when it has");
  }
  if (stored.state.state == WorkflowState::kSucceeded) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "NOTHING_FAILED", "nothing of it failed: there is nothing to try again");
  }
  MUSTER_ASSIGN_OR_RETURN(const std::vector<core::RecoveredEnd> ends, context_->deps.store->WorkflowEnds(stored));
  uint64_t count = 0;
  for (const uint64_t in_state : stored.state.tally.by_state) count += in_state;
  if (ends.size() != count) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_PURGED", "some of its tasks are past retention; run it again as a whole");
  }
  const WorkflowSpec& spec = *stored.row.spec;
  WorkflowRetry retry = ChooseRetry(spec, OrderOf(spec), ends);
  if (retry.nodes.empty()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "NOTHING_FAILED", "nothing of it failed: there is nothing to try again");
  }
  core::RetryWorkflow event{.workflow = stored.row, .parts = stored.parts, .kept = std::move(retry.kept)};
  for (const RetriedNode& retried : retry.nodes) {
    *task_count += static_cast<int64_t>(retried.tasks.size());
    for (const TaskId id : retried.tasks) {
      MUSTER_ASSIGN_OR_RETURN(core::NewNode node, MakeAgain(retried.node, id));
      event.nodes.push_back(std::move(node));
    }
  }
  return event;
}

// As a task of its own, also when it was a row: its place in the batch is put into its texts.
absl::StatusOr<core::NewNode> WorkflowChangeCalls::MakeAgain(uint32_t node, TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> task, context_->deps.store->FindTask(id));
  if (!task.has_value()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_PURGED", "some of its tasks are past retention; run it again as a whole");
  }
  const core::SpecificationRow& row = task->specification;
  v1::TaskSpec message;
  message.ParseFromString(row.spec->payload);
  if (row.rows != nullptr) FillTemplate((*row.rows)[id.value() - row.first.value()], task->batch_index, &message);
  Violations violations;
  CheckPolicy(message, absl::StrCat("task ", IdToText(id.value())), context_->deps.limits, &violations);
  MUSTER_RETURN_IF_ERROR(violations.ToStatus());
  core::NewNode made;
  made.node = node;
  made.replaces = {id};
  if (row.rows == nullptr) {
    made.spec = std::make_shared<TaskSpec>(*row.spec);
    return made;
  }
  made.spec = std::make_shared<TaskSpec>(*AcceptSpec(&message));
  return made;
}

}  // namespace muster::handler
