#include "master/core/views.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "master/core/dependents.h"
#include "master/core/holds.h"
#include "master/core/stragglers.h"

namespace muster::core {
namespace {

std::string PendingReasonOf(const Cluster& cluster, const Task& task, const Pending& pending, absl::Time now) {
  switch (pending.reason) {
    case PendingReason::kStartTime: return absl::StrCat("starts in ", DurationWords(pending.until - now));
    case PendingReason::kDependencies: return WaitsForWords(cluster, cluster.dependencies, task, Words::kNames);
    case PendingReason::kWorkerLost:
      return absl::StrCat("its worker was lost; ", task.cancel ? "is cancelled once it has surely stopped there, in " : "runs again in ",
                          DurationWords(pending.until - now));
    case PendingReason::kWorkflow: return WaitsForWorkflowWords(cluster, task);
    case PendingReason::kRetry: break;
  }
  const std::string retry = absl::StrCat("retry ", task.failures, " of ", task.spec().retry.max_attempts - 1);
  const std::string after = task.last_failure ? absl::StrCat(" after it ", *task.last_failure) : std::string();
  if (pending.until == absl::InfiniteFuture()) {
    return absl::StrCat(retry, " waits for the cluster's retry budget", after);
  }
  return absl::StrCat(retry, " in ", DurationWords(pending.until - now), after);
}

std::string QueuedReasonOf(const Cluster& cluster, QueueWaits* waits, const Task& task, absl::Time now) {
  if (const auto pause = cluster.paused.find(task.id); pause != cluster.paused.end()) {
    return absl::StrCat(task.losses >= kLossesUntilApart ? "keeps apart from other tasks that workers died of"
                                                         : "was refused; is looked at again",
                        " in ", DurationWords(pause->second - now));
  }
  if (const std::string never = WhyClusterNeverHas(cluster, task.spec().requirements); !never.empty()) return never;
  const QueueWait& wait = waits->Of(cluster, task.spec().requirements);
  if (!wait.infeasible.empty()) return wait.infeasible;
  const std::string& queue = task.spec().queue;
  if (const std::string held = WhyQueueHolds(cluster, queue, now); !held.empty()) {
    return absl::StrCat("queue ", queue, " ", held);
  }
  if (std::string key = WhyKeyHolds(cluster, task); !key.empty()) return key;
  if (std::string lack = WhyClusterLacks(cluster, task, now); !lack.empty()) return lack;
  if (const auto emptied = EmptiedFor(cluster, task.id)) {
    return absl::StrCat("waits for room on ", cluster.NameOf(*emptied), ", which is emptied for it");
  }
  if (wait.slots == 0) return wait.other.empty() ? "waits for its turn" : absl::StrCat("waits: ", wait.other);
  if (wait.used == wait.slots) return absl::StrCat("waits for a free slot: ", wait.used, " of ", wait.slots, " busy");
  return absl::StrCat("waits for room: ", wait.used, " of ", wait.slots, " slots busy");
}

}  // namespace

std::string DurationWords(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(std::max(absl::ZeroDuration(), duration), absl::Milliseconds(100)));
}

std::string ReasonOf(const Cluster& cluster, QueueWaits* waits, const Task& task, absl::Time now) {
  switch (task.state_now()) {
    case TaskState::kPending: return PendingReasonOf(cluster, task, std::get<Pending>(task.state), now);
    case TaskState::kQueued: return QueuedReasonOf(cluster, waits, task, now);
    case TaskState::kDispatched:
      return std::get<Dispatched>(task.state).prefetched ? "sent ahead, waits on the worker for a slot" : "";
    case TaskState::kUnknown:
      return absl::StrCat("its worker is lost and it must not run twice; gives up in ",
                          DurationWords(std::get<Unknown>(task.state).give_up - now));
    case TaskState::kRunning:
      if (task.cancel) return "cancel requested";
      if (const auto usual = StragglerOf(cluster, task, now)) {
        return StragglerWords(now - std::get<Running>(task.state).since, *usual);
      }
      return "";
    default: return task.cancel ? "cancel requested" : "";
  }
}

OpenTaskView ViewOf(const Cluster& cluster, QueueWaits* waits, const Task& task, absl::Time now) {
  const SpecificationRow& row = task.group->row;
  OpenTaskView view;
  view.id = task.id;
  view.state = task.state;
  view.reason = ReasonOf(cluster, waits, task, now);
  view.spec = row.spec;
  view.batch = row.batch;
  view.batch_index = task.batch_index();
  if (row.rows) view.arguments = &(*row.rows)[task.row_index()];
  view.retry_of = row.retry_of;
  view.created = row.created;
  view.cancel_requested = task.cancel != nullptr;
  if (task.cancel) view.cancel_reason = task.cancel->reason;
  const AttemptPlace place = PlaceOf(task.state);
  view.worker = cluster.NameOf(place.worker);
  if (place.attempt) view.dispatched = task.dispatched;
  if (const auto* running = std::get_if<Running>(&task.state)) view.started = running->since;
  if (const auto* validating = std::get_if<Validating>(&task.state)) view.started = validating->started;
  view.straggles = StragglerOf(cluster, task, now);
  return view;
}

std::vector<WorkerView> ViewOfWorkers(const Cluster& cluster) {
  std::vector<WorkerView> views;
  for (const WorkerId worker : cluster.workers.Ids()) views.push_back(cluster.workers.View(worker));
  std::sort(views.begin(), views.end(), [](const WorkerView& a, const WorkerView& b) { return a.name < b.name; });
  return views;
}

std::optional<WorkerView> ViewOfWorker(const Cluster& cluster, WorkerId worker) {
  if (!worker || !cluster.workers.Contains(worker)) return std::nullopt;
  return cluster.workers.View(worker);
}

QueueView ViewOfQueue(const Cluster& cluster, const std::string& queue, absl::Time now) {
  QueueView view;
  view.name = queue;
  view.settings = cluster.queue_table.SettingsOf(queue);
  view.set_by_hand = cluster.queue_table.IsSetByHand(queue);
  view.pause = cluster.queue_table.PauseOf(queue);
  view.paused = view.pause.holds(now);
  view.queued = cluster.gates.waiting(queue);
  view.running = cluster.gates.running(queue);
  const absl::Time oldest = cluster.queues.StatusOf(queue).oldest_since;
  if (oldest < now) view.oldest_wait = now - oldest;
  view.held_because = WhyQueueHolds(cluster, queue, now);
  return view;
}

std::vector<QueueView> ViewOfQueues(const Cluster& cluster, absl::Time now) {
  std::set<std::string> names;
  for (std::string& name : cluster.gates.Queues()) names.insert(std::move(name));
  for (const auto& settings : cluster.queue_table.All()) names.insert(settings.first);
  std::vector<QueueView> views;
  views.reserve(names.size());
  for (const std::string& name : names) views.push_back(ViewOfQueue(cluster, name, now));
  return views;
}

std::string PauseText(const QueuePause& pause) {
  const std::string until = pause.until == absl::InfiniteFuture()
                                ? "it is resumed"
                                : absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", pause.until, absl::UTCTimeZone());
  return absl::StrCat("paused until ", until, pause.reason.empty() ? "" : ": ", pause.reason);
}

std::vector<ClusterResourceView> ViewOfResources(const Cluster& cluster) {
  std::map<std::string, uint64_t> waiting;
  cluster.queues.VisitStandbys([&](const scheduler::ClusterAmounts& amounts, uint64_t tasks) {
    if (cluster.resources.NeverEnough(amounts).has_value()) return;
    for (const auto& amount : amounts) waiting[amount.first] += tasks;
  });
  std::vector<ClusterResourceView> views;
  for (const auto& resource : cluster.resources.All()) {
    std::vector<TaskId> takers = cluster.resources.TakersOf(resource.name);
    if (takers.size() > ClusterResourceView::kMostTakers) takers.resize(ClusterResourceView::kMostTakers);
    views.push_back({resource.name, resource.total, resource.used, waiting[resource.name], std::move(takers)});
  }
  return views;
}

}  // namespace muster::core
