#include "master/request_handler/explain_call.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/dependency_resolver.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr int kDefaultTasks = 10;
constexpr int kMostTasks = 100;

absl::Status CheckExplain(const v1::ExplainRequest& request, const std::string& owner, const TaskLimits& limits) {
  Violations violations;
  if (request.has_task()) {
    if (request.selectors_size() > 0) violations.Add("BAD_CALL", "task", "stands alone: without selectors");
    PatternCheck patterns;
    CheckSpec(request.task(), "task", limits, &patterns, &violations, owner);
  } else if (request.selectors_size() == 0) {
    violations.Add("BAD_CALL", "selectors", "is empty; name a task, or give one in `task`");
  }
  if (static_cast<size_t>(request.selectors_size()) > limits.selectors) {
    violations.Add("BAD_CALL", "selectors", absl::StrCat("has more than ", limits.selectors, " entries"));
  }
  if (request.max_tasks() < 0 || request.max_tasks() > kMostTasks) {
    violations.Add("BAD_CALL", "max_tasks", absl::StrCat("is not in 0..", kMostTasks));
  }
  return violations.ToStatus();
}

void PositionToProto(const core::QueuePosition& from, v1::QueuePosition* to) {
  to->set_queue(from.queue);
  to->set_queued_count(static_cast<int64_t>(from.queued));
  to->set_ahead_count(static_cast<int64_t>(from.ahead));
  to->set_ahead_by_priority_count(static_cast<int64_t>(from.ahead_by_priority));
  to->set_competing_count(static_cast<int64_t>(from.competing));
  to->set_more_ahead(from.more);
}

void GroupToProto(const core::WorkerGroup& from, v1::WorkerGroup* to) {
  to->set_filter(std::string(from.filter));
  to->set_cause(from.cause);
  to->set_worker_count(static_cast<int32_t>(from.count));
  for (const auto& example : from.examples) {
    v1::WorkerMiss* shown = to->add_examples();
    shown->set_worker(example.worker);
    shown->set_why(example.why);
  }
}

void SetCode(core::ReasonCode code, v1::Explanation* to) {
  to->set_code(static_cast<v1::ReasonCode>(code));
  to->set_advice(std::string(core::ReasonRowOf(code).advice));
}

}  // namespace

void ToProto(const core::Explanation& from, v1::Explanation* to) {
  if (from.task) to->set_task_id(IdToText(from.task.value()));
  to->set_state(convert::ToProto(from.state));
  if (from.since != absl::InfinitePast()) convert::ToProto(from.since, to->mutable_since());
  SetCode(from.code, to);
  to->set_sentence(from.sentence);
  to->set_worker(from.worker);
  if (from.held_until != absl::InfiniteFuture()) convert::ToProto(from.held_until, to->mutable_held_until());
  to->set_worker_count(static_cast<int32_t>(from.workers));
  for (const core::WorkerGroup& group : from.groups) GroupToProto(group, to->add_worker_groups());
  if (from.nearest) {
    to->mutable_nearest_worker()->set_worker(from.nearest->worker);
    for (const std::string& miss : from.nearest->misses) to->mutable_nearest_worker()->add_misses(miss);
  }
  to->set_would_start_now(from.would_start_now);
  if (from.position) PositionToProto(*from.position, to->mutable_position());
  if (from.start_model == nullptr) return;
  const auto estimate = scheduler::EstimateStart(*from.start_model, from.task.value());
  if (!estimate) return;
  convert::ToProto(estimate->p50, to->mutable_estimate()->mutable_p50());
  convert::ToProto(estimate->p90, to->mutable_estimate()->mutable_p90());
}

absl::StatusOr<v1::ExplainResponse> ExplainCall::Explain(const v1::ExplainRequest& request, const std::string& owner) {
  MUSTER_RETURN_IF_ERROR(CheckExplain(request, owner, context_->deps.limits));
  v1::ExplainResponse response;
  if (request.has_task()) {
    MUSTER_ASSIGN_OR_RETURN(*response.add_explanations(), ExplainNew(request.task()));
    return response;
  }
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> ranges,
                          context_->selectors.ResolveAll(request.selectors(), Purpose::kRead));
  const auto limit = static_cast<size_t>(request.max_tasks() > 0 ? request.max_tasks() : kDefaultTasks);
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskId> picked, Pick(ranges, limit));
  for (const TaskId id : picked) {
    MUSTER_ASSIGN_OR_RETURN(std::optional<v1::Explanation> open, ExplainOpen(id));
    if (open) {
      *response.add_explanations() = *std::move(open);
    } else {
      MUSTER_ASSIGN_OR_RETURN(*response.add_explanations(), ExplainEnded(id));
    }
  }
  uint64_t selected = 0;
  for (const TaskRange& range : ranges) selected += range.count;
  response.set_not_explained_count(static_cast<int64_t>(selected - picked.size()));
  return response;
}

absl::StatusOr<std::vector<TaskId>> ExplainCall::Pick(const std::vector<TaskRange>& ranges, size_t limit) {
  MUSTER_ASSIGN_OR_RETURN(
      std::vector<TaskId> picked,
      AskLoop<std::vector<TaskId>>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                   [ranges, limit](const core::ClusterCore& core) {
                                     std::set<TaskId> open;
                                     for (const TaskRange& range : ranges) {
                                       if (open.size() >= limit) break;
                                       for (const TaskId id : core.OpenTasksIn(range, limit)) open.insert(id);
                                     }
                                     return std::vector<TaskId>(open.begin(), open.end());
                                   }));
  if (picked.size() > limit) picked.resize(limit);
  std::set<TaskId> known(picked.begin(), picked.end());
  for (const TaskRange& range : ranges) {
    for (uint64_t i = 0; i < range.count && picked.size() < limit; ++i) {
      const TaskId id(range.first.value() + i);
      if (known.insert(id).second) picked.push_back(id);
    }
  }
  return picked;
}

absl::StatusOr<v1::Explanation> ExplainCall::ExplainNew(const v1::TaskSpec& task) {
  struct Answer {
    absl::Status refusal;
    core::Explanation explanation;
  };
  v1::TaskSpec accepted = task;
  DependencyResolver resolver(&context_->selectors, context_->deps.limits);
  MUSTER_RETURN_IF_ERROR(resolver.Resolve(&accepted, "task"));
  const TaskSpecPtr spec = AcceptWhole(context_->deps.queues, &accepted);
  MUSTER_ASSIGN_OR_RETURN(const std::vector<core::RangeEnds> ends, EndsOf(*spec));
  MUSTER_ASSIGN_OR_RETURN(const Answer answer,
                          AskLoop<Answer>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                          [spec, ends](const core::ClusterCore& core) {
                                            const auto told = core.ExplainSpec(spec, ends);
                                            return told.ok() ? Answer{absl::OkStatus(), *told} : Answer{told.status(), {}};
                                          }));
  MUSTER_RETURN_IF_ERROR(answer.refusal);
  v1::Explanation explanation;
  ToProto(answer.explanation, &explanation);
  return explanation;
}

absl::StatusOr<std::vector<core::RangeEnds>> ExplainCall::EndsOf(const TaskSpec& spec) {
  std::vector<core::AskedRange> ranges;
  for (const Dependency& dependency : spec.dependencies) ranges.push_back({dependency.tasks});
  if (ranges.empty()) return std::vector<core::RangeEnds>();
  return context_->deps.store->FindEnds(ranges);
}

absl::StatusOr<std::optional<v1::Explanation>> ExplainCall::ExplainOpen(TaskId id) {
  using Answer = std::optional<core::Explanation>;
  MUSTER_ASSIGN_OR_RETURN(const Answer answer,
                          AskLoop<Answer>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                          [id](const core::ClusterCore& core) { return core.Explain(id); }));
  if (!answer) return std::nullopt;
  v1::Explanation explanation;
  ToProto(*answer, &explanation);
  return explanation;
}

absl::StatusOr<v1::Explanation> ExplainCall::ExplainEnded(TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const v1::Task task, reader_->ReadTask(id));
  v1::Explanation explanation;
  explanation.set_task_id(task.id());
  explanation.set_state(task.state());
  *explanation.mutable_since() = task.end_time();
  SetCode(core::ReasonCode::kEnded, &explanation);
  explanation.set_sentence(absl::StrCat("It ended ", std::string(TaskStateName(convert::FromProto(task.state()))),
                                        task.reason().empty() ? "" : ": ", task.reason(), "."));
  if (task.attempts_size() > 0) explanation.set_worker(task.attempts().rbegin()->worker());
  return explanation;
}

}  // namespace muster::handler
