#include "master/request_handler/change_calls.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"
#include "master/request_handler/task_note.h"
#include "master/request_handler/task_view.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr size_t kReadAtOnce = 1000;
constexpr int64_t kMostIdsShown = 1000;
constexpr char kRetryGate[] = "retry failed";
constexpr TaskState kFailedStates[] = {TaskState::kFailed, TaskState::kTimedOut, TaskState::kLost,
                                       TaskState::kPoisoned};

bool IsFailed(TaskState state) {
  return std::find(std::begin(kFailedStates), std::end(kFailedStates), state) != std::end(kFailedStates);
}

void CheckForm(const v1::RetryRequest& request, size_t most_selectors, Violations* violations) {
  CheckRequestId(request.request_id(), violations);
  if (request.selectors_size() == 0 && !request.failed()) {
    violations->Add("BAD_SELECTOR", "selectors", "is empty; name tasks, or set `failed` for all that failed");
  }
  if (static_cast<size_t>(request.selectors_size()) > most_selectors) {
    violations->Add("BAD_SELECTOR", "selectors", absl::StrCat("has more than ", most_selectors));
  }
  if (!request.failed() && !request.queue().empty()) violations->Add("BAD_CALL", "queue", "goes with `failed`");
  if (!request.failed() && request.has_since()) violations->Add("BAD_CALL", "since", "goes with `failed`");
  if (convert::FromProto(request.since()) < absl::ZeroDuration()) violations->Add("BAD_AGE", "since", "is negative");
}

void FillAnswer(const core::SubmitAnswer& answer, v1::RetryResponse* response) {
  int64_t count = 0;
  for (const TaskRange& range : answer.tasks) {
    for (uint64_t i = 0; i < range.count; ++i, ++count) {
      if (count < kMostIdsShown) response->add_task_ids(IdToText(range.first.value() + i));
    }
  }
  response->set_count(count);
}

// The same work again, as a single task, now: whoever asks for it waits for nothing.
absl::StatusOr<TaskSpecPtr> SpecAgain(const store::StoredTask& task, const TaskLimits& limits) {
  const TaskSpecPtr& spec = task.specification.spec;
  const std::vector<std::string>* row = RowOf(task.specification, task.id);
  const bool as_it_is = row == nullptr && spec->start_time == absl::InfinitePast() && spec->dependencies.empty() && !spec->in_workflow;
  if (as_it_is && limits.policy == nullptr) return spec;
  v1::TaskSpec message;
  message.ParseFromString(spec->payload);
  message.clear_start_time();
  message.clear_dependencies();
  message.clear_in_workflow();
  if (row != nullptr) FillTemplate(*row, task.batch_index, &message);
  Violations violations;
  CheckPolicy(message, absl::StrCat("task ", IdToText(task.id.value())), limits, &violations);
  MUSTER_RETURN_IF_ERROR(violations.ToStatus());
  return as_it_is ? spec : AcceptSpec(&message);
}

}  // namespace

void ChangeCalls::Cancel(const v1::CancelRequest& request, const ChangeRight& right, std::string by,
                         v1::CancelResponse* response, Done done) {
  const TaskLimits& limits = context_->deps.limits;
  if (request.selectors_size() == 0 || static_cast<size_t>(request.selectors_size()) > limits.selectors) {
    done(RefuseField("BAD_SELECTOR", "selectors", absl::StrCat("must be 1 to ", limits.selectors, " selectors")));
    return;
  }
  if (absl::Status reason = CheckReason(request.reason()); !reason.ok()) return done(reason);
  absl::StatusOr<std::vector<TaskRange>> ranges = context_->selectors.ResolveAll(request.selectors(), Purpose::kChange);
  if (!ranges.ok()) {
    done(ranges.status());
    return;
  }
  if (absl::Status theirs = right.CheckTasks(context_->deps.store, *ranges); !theirs.ok()) return done(theirs);
  core::CancelTasks event{.tasks = *std::move(ranges), .by = std::move(by), .reason = request.reason()};
  event.call = context_->deps.calls->Expect<core::CancelAnswer>(
      [feed = &context_->feed, response, done](absl::StatusOr<core::CancelAnswer> answer) {
        feed->Run([response, done, answer = std::move(answer)] {
          if (answer.ok()) {
            response->set_requested_count(answer->requested);
            response->set_already_ended_count(answer->already_ended);
          }
          done(answer.status());
        });
      });
  const CallId call = event.call;
  if (context_->deps.events->Post(std::move(event))) return;
  if (context_->deps.calls->Abandon(call)) done(context_->deps.events->Refusal());
}

absl::StatusOr<std::vector<store::StoredTask>> ChangeCalls::EndedTasks(const v1::RetryRequest& request, const ChangeRight& right) {
  MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> ranges,
                          context_->selectors.ResolveAll(request.selectors(), Purpose::kRead));
  store::TaskQuery query;
  query.ranges = ranges;
  query.limit = kReadAtOnce;
  query.include_finished = true;
  query.include_open = !request.failed();
  query.queue = request.queue();
  if (request.failed()) query.owner = right.only_of.value_or("");
  absl::flat_hash_set<TaskId> before;
  absl::Time since = absl::InfinitePast();
  if (request.failed()) {
    query.finished_states.assign(std::begin(kFailedStates), std::end(kFailedStates));
    MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskId> retried, context_->deps.store->RetriedTasks());
    before.insert(retried.begin(), retried.end());
    if (request.has_since()) since = context_->deps.clock->Calendar() - convert::FromProto(request.since());
  }
  std::vector<store::StoredTask> tasks;
  while (true) {
    MUSTER_ASSIGN_OR_RETURN(std::vector<store::StoredTask> rows, context_->deps.store->ListTasks(query));
    const bool last = rows.size() < query.limit;
    if (!last) query.before = rows.back().id;
    for (store::StoredTask& row : rows) {
      MUSTER_RETURN_IF_ERROR(right.Check(absl::StrCat("task ", IdToText(row.id.value())), row.specification.spec->owner));
      if (!row.outcome) {
        return Refuse(absl::StatusCode::kFailedPrecondition, "NOT_ENDED",
                      absl::StrCat("task ", IdToText(row.id.value()), " has not ended; cancel it first"));
      }
      if (request.failed() && !IsFailed(row.outcome->state)) continue;
      if (before.contains(row.id) || row.outcome->ended < since) continue;
      tasks.push_back(std::move(row));
    }
    if (tasks.size() > context_->deps.limits.retried_tasks) {
      return RefuseForNow("TOO_MANY_TASKS",
                          absl::StrCat("more than ", context_->deps.limits.retried_tasks, " tasks; name fewer at a time"),
                          absl::ZeroDuration());
    }
    if (last) break;
  }
  std::reverse(tasks.begin(), tasks.end());
  return tasks;
}

void ChangeCalls::Retry(const v1::RetryRequest& request, const ChangeRight& right, std::string by,
                        v1::RetryResponse* response, Done done) {
  Violations violations;
  CheckForm(request, context_->deps.limits.selectors, &violations);
  if (!violations.empty()) {
    done(violations.ToStatus());
  } else if (request.failed() && !request.dry_run()) {
    RetryInTurn(request, right, std::move(by), response, std::move(done));
  } else {
    RetryNow(request, right, std::move(by), response, done);
  }
}

// What one call retries is what the next one must not: it looks when the answer to the one before is durable.
void ChangeCalls::RetryInTurn(const v1::RetryRequest& request, const ChangeRight& right, std::string by,
                              v1::RetryResponse* response, Done done) {
  const auto again = [this, &request, right, by, response, done] {
    if (!context_->pool.Post([=, this, &request] { RetryInTurn(request, right, by, response, done); })) done(PoolIsFull());
  };
  if (!context_->gate.Enter(kRetryGate, again)) return;
  RetryNow(request, right, std::move(by), response, [this, done = std::move(done)](const absl::Status& status) {
    done(status);
    context_->gate.Leave(kRetryGate);
  });
}

void ChangeCalls::RetryNow(const v1::RetryRequest& request, const ChangeRight& right, std::string by,
                           v1::RetryResponse* response, const Done& done) {
  core::RequestKey key;
  if (!request.request_id().empty() && !request.dry_run()) {
    key = {.owner = std::move(by), .id = request.request_id(), .digest = DigestOf(request)};
  }
  // A call that is repeated would find nothing left to retry.
  const absl::StatusOr<std::optional<core::SubmitAnswer>> known = admission_->FindAnswer(key);
  if (!known.ok()) return done(known.status());
  if (known->has_value()) {
    FillAnswer(**known, response);
    return done(absl::OkStatus());
  }
  absl::StatusOr<std::vector<store::StoredTask>> tasks = EndedTasks(request, right);
  if (!tasks.ok()) {
    done(tasks.status());
    return;
  }
  response->set_count(static_cast<int64_t>(tasks->size()));
  if (tasks->empty() || request.dry_run()) {
    done(absl::OkStatus());
    return;
  }
  auto event = std::make_shared<core::SubmitTasks>();
  uint64_t bytes = 0;
  for (const store::StoredTask& task : *tasks) {
    absl::StatusOr<TaskSpecPtr> spec = SpecAgain(task, context_->deps.limits);
    if (!spec.ok()) return done(spec.status());
    event->tasks.push_back({.spec = *std::move(spec), .retry_of = task.id});
    if (event->tasks.back().spec != task.specification.spec) bytes += event->tasks.back().spec->payload.size();
  }
  if (bytes > context_->deps.limits.retried_bytes) {
    done(RefuseForNow("TOO_MANY_TASKS", "their specifications are too large together; name fewer at a time",
                      absl::ZeroDuration()));
    return;
  }
  event->request = std::move(key);
  admission_->Admit(std::move(event), [response, done](absl::StatusOr<core::SubmitAnswer> answer) {
    if (answer.ok()) FillAnswer(*answer, response);
    done(answer.status());
  });
}

}  // namespace muster::handler
