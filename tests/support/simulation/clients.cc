#include "tests/support/simulation/clients.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "tests/support/simulation/cluster_times.h"

namespace muster::simulation {
namespace {

constexpr char kOwner[] = "user";
constexpr absl::Duration kTryAgain = absl::Seconds(1);

}  // namespace

TaskSpecPtr Clients::RandomSpec() {
  const double kind = scene_.Chance();
  const double mode = scene_.Chance();
  const double extra = scene_.Chance();
  auto spec = std::make_shared<TaskSpec>();
  spec->owner = kOwner;
  spec->requirements.executor = "command";
  spec->requirements.resources.slots = kind > 0.9 ? 2 : 1;
  spec->payload = "a specification";
  spec->priority = static_cast<int32_t>(scene_.Pick(5));
  spec->fingerprint = kind < 0.4 ? kQuick : kind < 0.95 ? kSlow : kDeadly;
  spec->on_worker_loss = mode < 0.4    ? OnWorkerLoss::kRerun
                         : mode < 0.75 ? OnWorkerLoss::kRerunAfterFence
                                       : OnWorkerLoss::kHold;
  if (spec->on_worker_loss != OnWorkerLoss::kHold && extra < 0.5) spec->retry.max_attempts = 3;
  spec->retry.max_delay = absl::Seconds(4);
  spec->max_worker_losses = 2 + static_cast<uint32_t>(scene_.Pick(2));
  if (scene_.Happens(0.25)) spec->payload = kValidated;
  if (extra > 0.9) spec->queue_timeout = absl::Seconds(8);
  if (extra > 0.8 && extra < 0.9) spec->start_time = master_.Calendar() + absl::Seconds(5);
  if (kind > 0.8 && kind < 0.9) spec->requirements.needs = {{"big", "", false}};
  if (kind > 0.5 && kind < 0.6) spec->requirements.arrangement = kind < 0.56 ? Arrangement::kSpread : Arrangement::kPack;
  if (kind > 0.6 && kind < 0.7) spec->queue = "other";
  if (kind > 0.3 && kind < 0.5) {
    spec->limit_key = kind < 0.4 ? "user=ann" : "user=bob";
    spec->limit = kind < 0.4 ? 1 : 2;
  }
  // Only what is fenced can keep to an amount whatever is cut off.
  if (spec->on_worker_loss == OnWorkerLoss::kRerunAfterFence && scene_.Happens(0.3)) {
    spec->requirements.resources.named = {{kLicence, 1 + static_cast<int64_t>(scene_.Pick(kLicences))}};
  }
  return spec;
}

void Clients::PlanSubmits(int calls, absl::Duration time) {
  for (int i = 0; i < calls; ++i) {
    const uint64_t rows = scene_.Happens(0.25) ? 1 + scene_.Pick(8) : 0;
    const size_t index = Add(RandomSpec(), rows, TaskId());
    submissions_[index].wants_dependencies = scene_.Happens(0.4);
    scene_.After(scene_.UpTo(time), [this, index] { Call(index); });
  }
}

void Clients::Submit(TaskSpecPtr spec, uint64_t batch_rows) { Call(Add(std::move(spec), batch_rows, TaskId())); }

void Clients::SubmitAfterOthers(TaskSpecPtr spec, uint64_t batch_rows) {
  const size_t index = Add(std::move(spec), batch_rows, TaskId());
  submissions_[index].wants_dependencies = true;
  Call(index);
}

// One to four, of the newer ones rather: tasks, or what was submitted as one. What is repeated asks for the same.
void Clients::DrawDependencies(core::SubmitTasks* event) {
  const auto& tasks = disk_.store.tasks();
  TaskSpecPtr& drawn = event->batch_spec != nullptr ? event->batch_spec : event->tasks.front().spec;
  auto spec = std::make_shared<TaskSpec>(*drawn);
  for (uint64_t left = tasks.empty() ? 0 : 1 + scene_.Pick(4); left > 0; --left) {
    const auto newest = std::prev(tasks.end(), static_cast<std::ptrdiff_t>(1 + scene_.Pick(std::min<size_t>(tasks.size(), 12))));
    const double kind = scene_.Chance();
    const auto condition = kind < 0.4 ? DependencyCondition::kSuccess : kind < 0.55 ? DependencyCondition::kFailure : DependencyCondition::kAny;
    const bool whole = scene_.Happens(0.5);
    spec->dependencies.push_back({whole ? disk_.store.RangeOf(newest->first) : TaskRange{newest->first, 1}, condition});
    // Of two ranges together, as of a batch that got more rows.
    if (scene_.Happens(0.2)) spec->dependencies.push_back({disk_.store.RangeOf(tasks.begin()->first), condition, true});
  }
  drawn = std::move(spec);
}

size_t Clients::Add(TaskSpecPtr spec, uint64_t batch_rows, TaskId retry_of) {
  Submission submission;
  core::SubmitTasks& event = submission.event;
  event.request.owner = kOwner;
  event.request.id = absl::StrCat("request-", submissions_.size());
  if (batch_rows > 0) {
    event.batch_spec = std::move(spec);
    event.batch_rows = std::make_shared<const ArgumentRows>(batch_rows, std::vector<std::string>{"row"});
  } else {
    event.tasks.push_back({std::move(spec), retry_of});
  }
  submissions_.push_back(std::move(submission));
  ++unanswered_;
  return submissions_.size() - 1;
}

void Clients::Call(size_t index) {
  Submission& submission = submissions_[index];
  if (submission.answered) return;
  scene_.After(kTryAgain * (0.5 + scene_.Chance()), [this, index] { Call(index); });
  if (!master_.up()) return;
  if (const core::RequestRow* row = disk_.store.FindRequest(kOwner, submission.event.request.id)) {
    core::SubmitAnswer answer;
    answer.tasks = row->tasks;
    promises_.Answered(row->request_id, answer);
    return Answered(index);
  }
  if (std::exchange(submission.wants_dependencies, false)) DrawDependencies(&submission.event);
  core::SubmitTasks event = submission.event;
  event.call = CallId((++calls_ << 16) | index);
  master_.Post(std::move(event));
}

void Clients::Answered(size_t index) {
  if (std::exchange(submissions_[index].answered, true)) return;
  --unanswered_;
}

void Clients::OnEffect(const core::Effect& effect) {
  if (const auto* answer = std::get_if<core::SubmitAnswer>(&effect)) {
    const size_t index = answer->call.value() & 0xffff;
    promises_.Answered(submissions_[index].event.request.id, *answer);
    if (!answer->status.ok()) return;
    if (scene_.Happens(0.1)) {
      scene_.Count("answer lost on the wire");
    } else {
      Answered(index);
    }
  } else if (const auto* changed = std::get_if<core::TaskChanged>(&effect)) {
    if (changed->state == TaskState::kLost && scene_.Happens(0.5)) RetryLost(*changed);
  }
}

void Clients::RetryLost(const core::TaskChanged& changed) {
  scene_.Count("LOST task tried again by hand");
  auto again = std::make_shared<TaskSpec>(*changed.spec);
  again->dependencies.clear();  // as a retry by hand
  const size_t index = Add(std::move(again), 0, changed.task);
  scene_.After(scene_.UpTo(absl::Seconds(1)), [this, index] { Call(index); });
}

void Clients::CancelSomething() {
  const auto& tasks = disk_.store.tasks();
  if (tasks.empty()) return;
  core::CancelTasks cancel;
  cancel.call = CallId(++calls_);
  cancel.tasks = {{TaskId(1 + scene_.Pick(tasks.rbegin()->first.value())), 1 + scene_.Pick(3)}};
  cancel.by = kOwner;
  cancel.reason = "changed my mind";
  master_.Post(std::move(cancel));
}

void Clients::Drain(const std::string& worker, absl::Duration deadline) {
  master_.Post(core::DrainWorker{CallId(++calls_), worker, deadline, "maintenance"});
}

void Clients::ChangeAQueue() {
  const CallId call(++calls_);
  const std::string queue = scene_.Happens(0.7) ? "default" : "other";
  switch (scene_.Pick(4)) {
    case 0:
      scene_.Count("queue limited");
      master_.Post(core::UpdateQueue{call, queue, false, QueueChange{.max_running = 1 + scene_.Pick(3)}, kOwner});
      return;
    case 1:
      scene_.Count("queue rated");
      master_.Post(core::UpdateQueue{call, queue, false, QueueChange{.start_rate = 1.0 + static_cast<double>(scene_.Pick(3))}, kOwner});
      return;
    case 2:
      scene_.Count("queue reset");
      master_.Post(core::UpdateQueue{call, queue, true, std::nullopt, kOwner});
      return;
    default:
      scene_.Count("queue paused");
      master_.Post(core::PauseQueue{call, queue, absl::InfiniteFuture(), scene_.UpTo(absl::Seconds(15)), "a deploy", kOwner});
  }
}

void Clients::ChangeThePlacement() {
  const auto any = [this] { return kBalancers[scene_.Pick(std::size(kBalancers))]; };
  core::UpdatePlacement update{.call = CallId(++calls_), .reset = scene_.Happens(0.2), .change = {}, .by = kOwner};
  if (scene_.Happens(0.7)) update.change.balancer = any();
  if (scene_.Happens(0.7)) update.change.shadow.emplace(scene_.Happens(0.8) ? std::optional(any()) : std::nullopt);
  scene_.Count(update.reset ? "placement reset" : "placement changed over");
  master_.Post(std::move(update));
}

void Clients::Resume(const std::string& worker) { master_.Post(core::ResumeWorker{CallId(++calls_), worker}); }

}  // namespace muster::simulation
