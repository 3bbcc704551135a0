#include "master/request_handler/submit.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

std::string ReasonOf(const core::SubmitAnswer& answer) { return absl::StrJoin(answer.warnings, "; "); }

// `tasks` and the rest of the call exclude one another, and so do a template and a batch to add to.
void CheckForm(const v1::SubmitBatchRequest& request, Violations* violations) {
  if (request.tasks_size() > 0) {
    if (request.has_template_() || request.rows_size() > 0 || !request.batch_id().empty()) {
      violations->Add("BAD_CALL", "tasks", "stand alone: without template, rows and batch_id");
    }
  } else if (!request.batch_id().empty()) {
    if (request.has_template_()) violations->Add("BAD_CALL", "template", "stays unset when rows are added to a batch");
    if (!TextToId(request.batch_id())) violations->Add("BAD_CALL", "batch_id", "is no id");
  } else if (!request.has_template_()) {
    violations->Add("BAD_CALL", "template", "is missing");
  }
}

}  // namespace

// Names are looked up where blocking is fine.
void SubmitCalls::WhereItMayBlock(bool has_dependencies, std::function<void()> job, const Done& done) {
  if (!has_dependencies) {
    job();
  } else if (!context_->pool.Post(std::move(job))) {
    done(PoolIsFull());
  }
}

absl::StatusOr<TaskSpecPtr> SubmitCalls::AcceptResolved(DependencyResolver* resolver, const std::string& path,
                                                        v1::TaskSpec* spec) const {
  spec->clear_in_workflow();
  const TaskSpecPtr as_sent = AcceptWhole(context_->deps.queues, spec);
  if (spec->dependencies_size() == 0) return as_sent;
  v1::TaskSpec resolved = *spec;
  MUSTER_RETURN_IF_ERROR(resolver->Resolve(&resolved, path));
  return AcceptWhole(context_->deps.queues, &resolved);
}

// A call that was accepted before is answered again whatever has become of what it named.
void SubmitCalls::AdmitOrRefuse(const absl::Status& resolved, std::shared_ptr<core::SubmitTasks> event, Admitted answer) {
  if (resolved.ok()) return admission_->Admit(std::move(event), std::move(answer));
  absl::StatusOr<std::optional<core::SubmitAnswer>> known = admission_->FindAnswer(event->request);
  if (!known.ok()) return answer(known.status());
  if (known->has_value()) return answer(**std::move(known));
  answer(resolved);
}

void SubmitCalls::Submit(const v1::SubmitRequest& request, const std::string& owner, v1::SubmitResponse* response, Done done) {
  Violations violations;
  PatternCheck patterns;
  CheckSpec(request.task(), "task", context_->deps.limits, &patterns, &violations, owner);
  CheckRequestId(request.request_id(), &violations);
  if (!violations.empty()) {
    done(violations.ToStatus());
    return;
  }
  WhereItMayBlock(request.task().dependencies_size() > 0,
                  [this, &request, owner, response, done] { SubmitOne(request, owner, response, done); }, done);
}

void SubmitCalls::SubmitOne(const v1::SubmitRequest& request, const std::string& owner, v1::SubmitResponse* response,
                            const Done& done) {
  v1::SubmitRequest accepted = request;
  if (!owner.empty()) accepted.mutable_task()->set_owner(owner);
  DependencyResolver resolver(&context_->selectors, context_->deps.limits);
  const absl::StatusOr<TaskSpecPtr> resolved = AcceptResolved(&resolver, "task", accepted.mutable_task());
  auto event = std::make_shared<core::SubmitTasks>();
  if (!request.request_id().empty()) {
    event->request = {.owner = accepted.task().owner(), .id = request.request_id()};
    event->request.digest = DigestOf(std::move(accepted));
  }
  const TaskSpecPtr spec = resolved.value_or(nullptr);
  event->tasks.push_back({.spec = spec});
  AdmitOrRefuse(resolved.status(), std::move(event), [this, spec, response, done](absl::StatusOr<core::SubmitAnswer> answer) {
    if (!answer.ok()) {
      done(answer.status());
    } else if (answer->tasks.empty()) {
      done(absl::InternalError("accepted, but without a task"));
    } else if (answer->repeated) {
      const TaskId id = answer->tasks.front().first;
      const auto read = [this, id, response, done] {
        absl::StatusOr<v1::Task> task = reader_->ReadTask(id);
        if (task.ok()) *response->mutable_task() = *std::move(task);
        done(task.status());
      };
      if (!context_->pool.Post(read)) done(PoolIsFull());
    } else {
      TaskNote note{.id = answer->tasks.front().first, .state = answer->state, .reason = ReasonOf(*answer), .spec = spec};
      SpecCache specs;
      ViewNote(note, Detail::kList, &specs, response->mutable_task());
      response->mutable_warnings()->Assign(answer->warnings.begin(), answer->warnings.end());
      done(absl::OkStatus());
    }
  });
}

void SubmitCalls::SubmitBatch(const v1::SubmitBatchRequest& request, const std::string& owner, const ChangeRight& right,
                              v1::SubmitBatchResponse* response, Done done) {
  const TaskLimits& limits = context_->deps.limits;
  Violations violations;
  PatternCheck patterns;
  CheckForm(request, &violations);
  CheckRequestId(request.request_id(), &violations);
  if (request.tasks_size() > 0) {
    if (static_cast<size_t>(request.tasks_size()) > limits.rows) {
      violations.Add("BAD_CALL", "tasks", absl::StrCat("has more than ", limits.rows, " entries"));
    }
    for (int i = 0; i < request.tasks_size(); ++i) {
      CheckSpec(request.tasks(i), absl::StrCat("tasks[", i, "]"), limits, &patterns, &violations, owner);
    }
  } else {
    if (request.has_template_()) CheckSpec(request.template_(), "template", limits, &patterns, &violations, owner);
    CheckRows(request, limits, &violations);
  }
  if (!violations.empty()) {
    done(violations.ToStatus());
  } else if (request.tasks_size() > 0) {
    const bool any = std::any_of(request.tasks().begin(), request.tasks().end(),
                                 [](const v1::TaskSpec& task) { return task.dependencies_size() > 0; });
    WhereItMayBlock(any, [this, &request, owner, response, done] { SubmitTogether(request, owner, response, done); }, done);
  } else if (request.batch_id().empty()) {
    WhereItMayBlock(request.template_().dependencies_size() > 0,
                    [this, &request, owner, response, done] { SubmitTemplate(request, owner, response, done); }, done);
  } else {
    auto held = std::make_shared<v1::SubmitBatchRequest>(request);
    if (!context_->pool.Post([this, held, right, response, done] { ExtendBatch(held, right, response, done); })) done(PoolIsFull());
  }
}

void SubmitCalls::SubmitTogether(v1::SubmitBatchRequest request, const std::string& owner,
                                 v1::SubmitBatchResponse* response, Done done) {
  for (v1::TaskSpec& task : *request.mutable_tasks()) {
    if (!owner.empty()) task.set_owner(owner);
  }
  auto event = std::make_shared<core::SubmitTasks>();
  DependencyResolver resolver(&context_->selectors, context_->deps.limits);
  absl::Status resolved;
  for (int i = 0; i < request.tasks_size(); ++i) {
    absl::StatusOr<TaskSpecPtr> spec = AcceptResolved(&resolver, absl::StrCat("tasks[", i, "]"), request.mutable_tasks(i));
    if (!spec.ok() && resolved.ok()) resolved = spec.status();
    event->tasks.push_back({.spec = std::move(spec).value_or(nullptr)});
  }
  if (!request.request_id().empty()) {
    event->request = {.owner = request.tasks(0).owner(), .id = request.request_id()};
    event->request.digest = DigestOf(std::move(request));
  }
  AdmitOrRefuse(resolved, std::move(event), [response, done](absl::StatusOr<core::SubmitAnswer> answer) {
    if (answer.ok()) {
      for (const TaskRange& range : answer->tasks) {
        for (uint64_t i = 0; i < range.count; ++i) response->add_task_ids(IdToText(range.first.value() + i));
      }
      response->mutable_warnings()->Assign(answer->warnings.begin(), answer->warnings.end());
    }
    done(answer.status());
  });
}

void SubmitCalls::SubmitTemplate(v1::SubmitBatchRequest request, const std::string& owner,
                                 v1::SubmitBatchResponse* response, Done done) {
  if (!owner.empty()) request.mutable_template_()->set_owner(owner);
  auto event = std::make_shared<core::SubmitTasks>();
  DependencyResolver resolver(&context_->selectors, context_->deps.limits);
  const absl::StatusOr<TaskSpecPtr> resolved = AcceptResolved(&resolver, "template", request.mutable_template_());
  const TaskSpecPtr spec = resolved.value_or(nullptr);
  if (!request.request_id().empty()) {
    event->request = {.owner = request.template_().owner(), .id = request.request_id(), .digest = DigestOf(request)};
  }
  event->batch_spec = spec;
  event->batch_rows = MakeRows(&request);
  AdmitOrRefuse(resolved.status(), std::move(event), [this, spec, response, done](absl::StatusOr<core::SubmitAnswer> answer) {
    if (answer.ok()) {
      AnswerBatch(*answer, spec, response);
      if (!answer->repeated) {
        v1::StateCount* count = response->mutable_batch()->add_counts();
        count->set_state(convert::ToProto(answer->state));
        count->set_count(response->batch().task_count());
      }
    }
    done(answer.status());
  });
}

void SubmitCalls::ExtendBatch(std::shared_ptr<v1::SubmitBatchRequest> request, const ChangeRight& right,
                              v1::SubmitBatchResponse* response, Done done) {
  // One at a time for each batch: where the new rows begin is read from the store.
  const std::string key = absl::StrCat("batch/", *TextToId(request->batch_id()));
  const auto again = [this, request, right, response, done] {
    if (!context_->pool.PostAlways([this, request, right, response, done] { ExtendBatch(request, right, response, done); })) {
      done(PoolIsFull());
    }
  };
  if (!context_->gate.Enter(key, again)) return;
  ExtendNow(request, right, response, [this, key, done](const absl::Status& status) {
    done(status);
    context_->gate.Leave(key);
  });
}

void SubmitCalls::ExtendNow(std::shared_ptr<v1::SubmitBatchRequest> request, const ChangeRight& right,
                            v1::SubmitBatchResponse* response, Done done) {
  const TaskId batch(*TextToId(request->batch_id()));
  absl::StatusOr<std::vector<TaskRange>> ranges = context_->deps.store->BatchRanges(batch);
  if (!ranges.ok() || ranges->empty()) {
    done(ranges.ok() || absl::IsNotFound(ranges.status())
             ? Refuse(absl::StatusCode::kNotFound, "NO_SUCH_BATCH", absl::StrCat("no batch ", request->batch_id()))
             : ranges.status());
    return;
  }
  absl::StatusOr<std::optional<store::StoredTask>> first = context_->deps.store->FindTask(ranges->front().first);
  if (!first.ok() || !first->has_value()) {
    done(first.ok() ? absl::InternalError("a batch without its first task") : first.status());
    return;
  }
  const TaskSpecPtr spec = (*first)->specification.spec;
  if (absl::Status theirs = right.Check(absl::StrCat("batch ", request->batch_id()), spec->owner); !theirs.ok()) return done(theirs);
  auto event = std::make_shared<core::SubmitTasks>();
  if (!request->request_id().empty()) {
    event->request = {.owner = spec->owner, .id = request->request_id(), .digest = DigestOf(*request)};
  }
  event->batch_spec = spec;
  event->extend_batch = batch;
  for (const TaskRange& range : *ranges) event->extend_from += range.count;
  // The template was not in the call: only now can the filled-in commands be measured.
  Violations violations;
  request->mutable_template_()->ParseFromString(spec->payload);
  CheckRows(*request, context_->deps.limits, &violations);
  if (violations.empty()) CheckPolicy(request->template_(), "batch", context_->deps.limits, &violations);
  if (!violations.empty()) {
    done(violations.ToStatus());
    return;
  }
  event->batch_rows = MakeRows(request.get());
  admission_->Admit(std::move(event), [this, spec, response, done](absl::StatusOr<core::SubmitAnswer> answer) {
    if (answer.ok()) AnswerBatch(*answer, spec, response);
    done(answer.status());
  });
}

void SubmitCalls::AnswerBatch(const core::SubmitAnswer& answer, const TaskSpecPtr& spec,
                              v1::SubmitBatchResponse* response) const {
  response->mutable_warnings()->Assign(answer.warnings.begin(), answer.warnings.end());
  v1::Batch* batch = response->mutable_batch();
  batch->set_id(IdToText(answer.batch.value()));
  batch->set_task_count(static_cast<int64_t>(answer.batch_size));
  batch->set_owner(spec->owner);
  v1::TaskSpec* shown = batch->mutable_template_();
  shown->set_name(spec->name);
  shown->set_queue(spec->queue);
  shown->set_priority(spec->priority);
}

}  // namespace muster::handler
