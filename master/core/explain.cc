#include "master/core/explain.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "master/core/dependents.h"
#include "master/core/holds.h"
#include "master/core/queue_position.h"
#include "master/core/queued_verdict.h"
#include "master/core/start_model.h"
#include "master/core/stragglers.h"
#include "master/core/verdict.h"
#include "master/core/views.h"

namespace muster::core {
namespace {

using balancer::Analysis;
using balancer::Hopeless;
using balancer::Miss;
using balancer::MissGroup;

// A moment is not worth a figure.
bool IsAMoment(absl::Duration duration) { return duration < absl::Milliseconds(100); }

std::string RetryText(const Task& task) {
  return absl::StrCat("retry ", task.failures, " of ", task.spec().retry.max_attempts - 1);
}

Verdict JudgePending(const Cluster& cluster, const Dependencies& dependencies, const Task& task, const Pending& pending, absl::Time now) {
  const std::string in = absl::StrCat("in ", DurationWords(pending.until - now));
  const std::string failed = task.last_failure ? absl::StrCat("It ", *task.last_failure) : std::string("It failed");
  switch (pending.reason) {
    case PendingReason::kStartTime:
      return {ReasonCode::kStartTime, absl::StrCat("Its start time is ", in, "."), pending.until};
    case PendingReason::kWorkerLost:
      return {ReasonCode::kRerunsAfterLoss,
              absl::StrCat("Its worker was lost; it ", task.cancel ? "is cancelled once it has surely stopped there, " : "runs again ", in,
                           "."),
              pending.until};
    case PendingReason::kRetry: break;
    case PendingReason::kDependencies:
      return {ReasonCode::kDependency, Sentence(absl::StrCat("it ", WaitsForWords(cluster, dependencies, task, Words::kStates)))};
    case PendingReason::kWorkflow: return {ReasonCode::kWorkflow, Sentence(WaitsForWorkflowWords(cluster, task))};
  }
  if (pending.until == absl::InfiniteFuture()) {
    return {ReasonCode::kBeyondRetryBudget,
            absl::StrCat(failed, " and its ", RetryText(task), " is due, but retries of the whole cluster have used up "
                         "their budget; ", CountWords(cluster.retries_beyond_budget.size(), "retry waits.", "retries wait."))};
  }
  return {ReasonCode::kRetryLater, absl::StrCat(failed, " and is tried again ", in, ": ", RetryText(task), "."),
          pending.until};
}

Verdict JudgePlaced(const Cluster& cluster, const Task& task, const AttemptPlace& place, absl::Time now) {
  const WorkerFacts& facts = cluster.workers.facts(place.worker);
  const std::string worker = absl::StrCat("worker ", facts.name);
  const auto* running = std::get_if<Running>(&task.state);
  const auto* validating = std::get_if<Validating>(&task.state);
  const auto* sent = std::get_if<Dispatched>(&task.state);
  // A worker that refuses new work by itself, or drains, still does what it has.
  const bool in_touch = facts.state != WorkerState::kSuspect && facts.state != WorkerState::kLost;
  const std::string state = in_touch ? "" : absl::StrCat(", which ", balancer::TakesNothing(facts).value_or(""), ",");
  if (task.cancel) {
    const std::string& why = task.cancel->reason;
    return {ReasonCode::kCancelRequested, absl::StrCat("A cancel was asked for", why.empty() ? "" : absl::StrCat(" (", why, ")"),
                                                       "; ", worker, state, " has to confirm that it stopped.")};
  }
  if (!in_touch) {
    return {ReasonCode::kWorkerOutOfTouch, absl::StrCat(running || validating ? "It runs on " : "It was sent to ", worker, state,
                                                        " and is decided when the worker is back or lost.")};
  }
  if (sent != nullptr && sent->prefetched) {
    return {ReasonCode::kSentAhead, absl::StrCat("It was sent ahead to ", worker, " and waits there for a free slot.")};
  }
  const std::string attempt = absl::StrCat(" as attempt ", place.attempt.value());
  if (validating != nullptr) {
    const absl::Duration time = now - validating->since;
    return {ReasonCode::kValidating, absl::StrCat("Its command has ended; ", worker, " has validated it", attempt, " for ",
                                                  IsAMoment(time) ? "a moment" : DurationWords(time), ".")};
  }
  if (running == nullptr) {
    const absl::Duration ago = now - task.dispatched;
    return {ReasonCode::kStarting,
            absl::StrCat("It was sent to ", worker, attempt, IsAMoment(ago) ? " just now" : absl::StrCat(" ", DurationWords(ago), " ago"),
                         " and has not reported its start yet.")};
  }
  const absl::Duration time = now - running->since;
  Verdict verdict{ReasonCode::kRunning, absl::StrCat("It has run on ", worker, attempt, " for ",
                                                     IsAMoment(time) ? "a moment" : DurationWords(time), ".")};
  if (const auto usual = StragglerOf(cluster, task, now)) {
    absl::StrAppend(&verdict.sentence, " It straggles: it ", StragglerWords(time, *usual), ".");
  }
  return verdict;
}

Verdict JudgeUnknown(const Cluster& cluster, const Unknown& unknown, absl::Time now) {
  const std::string worker = cluster.NameOf(unknown.worker);
  return {ReasonCode::kUnknownWorkerLost,
          absl::StrCat("Its worker ", worker, " is lost and it must not run twice; it ends LOST in ",
                       DurationWords(unknown.give_up - now), " unless the worker comes back."),
          unknown.give_up};
}

absl::Time SinceOf(const Task& task) {
  switch (task.state_now()) {
    case TaskState::kPending: return std::get<Pending>(task.state).since;
    case TaskState::kQueued: return std::get<Queued>(task.state).since;
    case TaskState::kDispatched: return task.dispatched;
    case TaskState::kRunning: return std::get<Running>(task.state).since;
    case TaskState::kValidating: return std::get<Validating>(task.state).since;
    default: return absl::InfinitePast();
  }
}

void DescribeWorkers(const Cluster& cluster, const Task& task, const Analysis& workers, Explanation* to) {
  const Requirements& requirements = task.spec().requirements;
  to->workers = workers.workers;
  for (const MissGroup& group : workers.groups) {
    WorkerGroup shown{balancer::FilterOf(group.miss), CauseText(group.miss, requirements), group.count, {}};
    for (const WorkerId worker : group.examples) {
      const WorkerFacts& facts = cluster.workers.facts(worker);
      shown.examples.push_back({facts.name, MissText(group.miss, facts, requirements)});
    }
    to->groups.push_back(std::move(shown));
  }
  if (workers.nearest) {
    const WorkerFacts& facts = cluster.workers.facts(workers.nearest);
    to->nearest = NearestWorker{facts.name, {}};
    for (const Miss& miss : workers.nearest_misses) to->nearest->misses.push_back(MissText(miss, facts, requirements));
  }
  if (workers.would_start_now) to->would_start_now = balancer::ChangeText(requirements, *workers.would_start_now);
}

// Slots come free when what runs ends. What other resources do is not foreseen.
bool WaitsForSlots(ReasonCode code, const Task& task, const Analysis& workers) {
  const bool waits = code == ReasonCode::kWaitsForSlot || code == ReasonCode::kBehindHigherPriority ||
                     code == ReasonCode::kBehindEarlier;
  return waits && (!workers.slots_are_free || task.spec().requirements.resources.slots > 1);
}

// What is held could not start for another reason either.
Verdict NoteHopeless(const Cluster& cluster, const Task& task, const Analysis& workers, Verdict held) {
  if (workers.hopeless == Hopeless::kNo) return held;
  absl::StrAppend(&held.sentence, " As things are it could not start even then: ",
                  absl::StrJoin(cluster.balancer.WhyInfeasible(task.spec().requirements), "; "), ".");
  return held;
}

// PENDING and QUEUED: what the workers say is told of both; only of the latter is it the cause.
Verdict JudgeWaiting(const Cluster& cluster, const Dependencies& dependencies, const Task& task, absl::Time now, Explanation* to) {
  const Analysis workers = cluster.balancer.Analyze(task.spec().requirements, task.avoid, task.spec().fingerprint);
  DescribeWorkers(cluster, task, workers, to);
  if (const auto* pending = std::get_if<Pending>(&task.state)) {
    to->would_start_now.clear();
    return NoteHopeless(cluster, task, workers, JudgePending(cluster, dependencies, task, *pending, now));
  }
  Competition competition(cluster, task, workers);
  std::vector<TaskId> before;
  to->position = PositionOf(cluster, task, competition, &before);
  if (auto hold = HoldOf(cluster, task, *to->position, now)) {
    to->would_start_now.clear();
    return NoteHopeless(cluster, task, workers, {hold->code, std::move(hold->sentence), hold->until});
  }
  Verdict verdict = JudgeQueued(cluster, task, workers, *to->position);
  if (WaitsForSlots(verdict.code, task, workers)) {
    to->start_model = StartModelOf(cluster, task, workers.candidates, before,
                                   [&competition](scheduler::ClassId cls) { return competition.Has(cls); }, now);
  }
  return verdict;
}

Explanation ExplainIn(const Cluster& cluster, const Dependencies& dependencies, const Task& task, absl::Time now) {
  Explanation explanation;
  explanation.task = task.id == kNotSubmitted ? TaskId() : task.id;
  explanation.state = task.state_now();
  explanation.since = SinceOf(task);
  const AttemptPlace place = PlaceOf(task.state);
  Verdict verdict = std::holds_alternative<Unknown>(task.state)
                        ? JudgeUnknown(cluster, std::get<Unknown>(task.state), now)
                    : place.attempt ? JudgePlaced(cluster, task, place, now)
                                    : JudgeWaiting(cluster, dependencies, task, now, &explanation);
  explanation.code = verdict.code;
  explanation.sentence = std::move(verdict.sentence);
  explanation.held_until = verdict.until;
  explanation.worker = place.worker ? cluster.NameOf(place.worker) : std::move(verdict.worker);
  return explanation;
}

// Of a task that would wait, or never could start, in an index of its own.
void AddAlone(const Cluster& cluster, const Task& task, const std::vector<RangeEnds>& ends, Dependencies* alone) {
  const SpecificationRow& row = task.group->row;
  if (alone->Add({row.first, 1}, row.spec, cluster.open_in()) == Dependencies::Standing::kMet) return;
  alone->Enter(row.first);
  for (const AskedRange& asked : alone->TakeUnknown(row.spec->dependencies.size())) {
    const auto known = std::find_if(ends.begin(), ends.end(), [&](const auto& end) { return end.asked.tasks == asked.tasks; });
    if (known != ends.end()) alone->OnFound({asked, known->failed, known->failed_as});
  }
}

}  // namespace

Explanation ExplainTask(const Cluster& cluster, const Task& task, absl::Time now) {
  return ExplainIn(cluster, cluster.dependencies, task, now);
}

Explanation ExplainSpec(const Cluster& cluster, TaskSpecPtr spec, const std::vector<RangeEnds>& ends, absl::Time now) {
  SpecificationRow row;
  row.first = kNotSubmitted;
  row.created = now;
  row.spec = cluster.Settled(std::move(spec));
  Task task;
  task.id = kNotSubmitted;
  task.group = MakeTaskGroup(std::move(row));
  Dependencies alone;
  if (!task.spec().dependencies.empty()) AddAlone(cluster, task, ends, &alone);
  const auto decided = alone.TakeDecided();
  if (alone.Waits(kNotSubmitted) && !(decided && decided->met)) {
    task.state = Pending{PendingReason::kDependencies, absl::InfiniteFuture(), now};
  } else if (task.spec().start_time > now) {
    task.state = Pending{PendingReason::kStartTime, task.spec().start_time, now};
  } else {
    task.queued_since = now;
    task.state = Queued{now};
  }
  Explanation explanation = ExplainIn(cluster, alone, task, now);
  if (decided && !decided->met) {
    explanation.sentence = absl::StrCat("It would be CANCELLED at once: ", WhyImpossible(decided->impossible), ".");
  }
  return explanation;
}

}  // namespace muster::core
