#include "master/core/holds.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/id_text.h"
#include "master/core/views.h"

namespace muster::core {
namespace {

constexpr size_t kMaxInLine = 10'000;  // tasks of a key that are counted
constexpr size_t kMaxTakersNamed = 4;

using Holder = std::optional<Hold> (*)(const Cluster&, const Task&, const QueuePosition&, absl::Time now);

std::string Tasks(uint64_t count) { return absl::StrCat(count, count == 1 ? " task" : " tasks"); }

// Tasks of the key run one after the other, and it is not this one's turn: whose it is. 0: it is, or they do not.
TaskId HasItsTurnBefore(const Cluster& cluster, const Task& task) {
  if (task.spec().limit != 1) return TaskId();
  const TaskId first = cluster.keys.First(task.spec().limit_key);
  return first == task.id ? TaskId() : first;
}

std::optional<Hold> HeldByStop(const Cluster& cluster, const Task&, const QueuePosition&, absl::Time) {
  if (!cluster.stopping) return std::nullopt;
  return Hold{ReasonCode::kMasterStopping,
              "The master is stopping and starts nothing any more; it goes on when a master is started again."};
}

std::optional<Hold> HeldByQueuePause(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time now) {
  const std::string& queue = task.spec().queue;
  if (cluster.gates.Look(queue, now) != scheduler::Gate::kPaused) return std::nullopt;
  return Hold{ReasonCode::kQueuePaused, absl::StrCat("Queue ", queue, " ", WhyQueueHolds(cluster, queue, now), "."),
              cluster.queue_table.PauseOf(queue).until};
}

std::optional<Hold> HeldByQueueLimit(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time now) {
  const std::string& queue = task.spec().queue;
  if (cluster.gates.Look(queue, now) != scheduler::Gate::kFull) return std::nullopt;
  return Hold{ReasonCode::kQueueAtLimit, absl::StrCat("Queue ", queue, " ", WhyQueueHolds(cluster, queue, now), " tasks.")};
}

std::optional<Hold> HeldByQueueRate(const Cluster& cluster, const Task& task, const QueuePosition& position, absl::Time now) {
  const std::string& queue = task.spec().queue;
  if (cluster.gates.Look(queue, now) != scheduler::Gate::kRate) return std::nullopt;
  const double rate = cluster.queue_table.SettingsOf(queue).start_rate;
  const absl::Time turn = cluster.gates.OpensAt(queue, now) + absl::Seconds(static_cast<double>(position.ahead) / rate);
  const std::string before =
      position.ahead == 0 ? "" : absl::StrCat(" and ", Tasks(position.ahead), position.ahead == 1 ? " is" : " are", " before it");
  return Hold{ReasonCode::kQueueRate, absl::StrCat("Queue ", queue, " ", WhyQueueHolds(cluster, queue, now), before,
                                                   "; its turn is at the earliest in ", DurationWords(turn - now), "."),
              turn};
}

std::optional<Hold> HeldByKeyOrder(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time) {
  const TaskId first = HasItsTurnBefore(cluster, task);
  if (!first) return std::nullopt;
  uint64_t before = 0;
  cluster.keys.VisitBefore(task.spec().limit_key, task.id, kMaxInLine, [&before](TaskId) { ++before; });
  const std::string others = before < 2 ? " has" : absl::StrCat(" and ", before - 1, " more have");
  return Hold{ReasonCode::kKeyOrder,
              absl::StrCat("Tasks with ", task.spec().limit_key, " run one after the other: task ", IdToText(first.value()), " (",
                           std::string(TaskStateName(cluster.tasks.Find(first)->state_now())), ")", others, " to end first.")};
}

std::optional<Hold> HeldByKeyLimit(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time) {
  const TaskSpec& spec = task.spec();
  if (spec.limit == 0 || cluster.keys.MayStart(spec.limit_key, spec.limit)) return std::nullopt;
  const uint64_t running = cluster.keys.running(spec.limit_key);
  return Hold{ReasonCode::kKeyLimit,
              absl::StrCat(Tasks(running), " with ", spec.limit_key, running == 1 ? " runs" : " run", "; it starts when ",
                           spec.limit == 1 ? "none does." : absl::StrCat("fewer than ", spec.limit, " do."))};
}

std::string Taken(const scheduler::ClusterResources::Status& resource) {
  return absl::StrCat(resource.used, " of ", resource.total, " ", resource.name, resource.used == 1 ? " is" : " are", " taken");
}

// " by tasks 3F, 3G and 5 more"
std::string ByWhom(const Cluster& cluster, const std::string& resource) {
  std::vector<TaskId> takers = cluster.resources.TakersOf(resource);
  if (takers.empty()) return "";
  const size_t more = takers.size() - std::min(takers.size(), kMaxTakersNamed);
  takers.resize(takers.size() - more);
  return absl::StrCat(" by ", takers.size() == 1 ? "task " : "tasks ",
                      absl::StrJoin(takers, ", ", [](std::string* out, TaskId id) { absl::StrAppend(out, IdToText(id.value())); }),
                      more == 0 ? "" : absl::StrCat(" and ", more, " more"));
}

std::optional<Hold> HeldForever(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time) {
  const std::string why = WhyClusterNeverHas(cluster, task.spec().requirements);
  if (why.empty()) return std::nullopt;
  return Hold{ReasonCode::kClusterNeverHas, absl::StrCat("It ", why, ".")};
}

std::optional<Hold> HeldByCluster(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time now) {
  const auto lack = LackOf(cluster, task, now);
  if (!lack.has_value()) return std::nullopt;
  const auto resource = cluster.resources.StatusOf(lack->name);
  std::string sentence = absl::StrCat(Taken(resource), ByWhom(cluster, lack->name));
  if (lack->kept_for) {
    absl::StrAppend(&sentence, "; what is free is kept for task ", IdToText(lack->kept_for.value()),
                    ", which is before it and has waited long.");
  } else {
    absl::StrAppend(&sentence, lack->amount == 1 ? "." : absl::StrCat("; it asks for ", lack->amount, "."));
  }
  return Hold{ReasonCode::kClusterLacks, std::move(sentence)};
}

std::optional<Hold> HeldByItsPause(const Cluster& cluster, const Task& task, const QueuePosition&, absl::Time now) {
  const auto pause = cluster.paused.find(task.id);
  if (pause == cluster.paused.end()) return std::nullopt;
  const std::string again = absl::StrCat("it is looked at again in ", DurationWords(pause->second - now), ".");
  if (task.losses >= kLossesUntilApart) {
    return Hold{ReasonCode::kKeepsApart,
                absl::StrCat(task.losses, task.losses == 1 ? " worker" : " workers",
                             " died while it ran, so it runs beside no other such task; ", again),
                pause->second};
  }
  return Hold{ReasonCode::kPausedAfterRefusal,
              absl::StrCat("Workers refused it ", task.refusals, task.refusals == 1 ? " time" : " times", " in a row; ", again),
              pause->second};
}

// Whether one in line for what the cluster has could start if it got it.
bool MayStartOtherwise(const Cluster& cluster, TaskId id, absl::Time now) {
  if (!cluster.queues.Contains(id)) return false;  // it pauses, or waits for its turn with its key
  const TaskSpec& spec = cluster.tasks.Find(id)->spec();
  return cluster.gates.Look(spec.queue, now) == scheduler::Gate::kOpen &&
         (spec.limit == 0 || cluster.keys.MayStart(spec.limit_key, spec.limit));
}

constexpr Holder kHolds[] = {HeldByStop,     HeldForever,    HeldByQueuePause, HeldByQueueLimit, HeldByQueueRate,
                             HeldByKeyOrder, HeldByKeyLimit, HeldByCluster,    HeldByItsPause};

}  // namespace

std::optional<Hold> HoldOf(const Cluster& cluster, const Task& task, const QueuePosition& position, absl::Time now) {
  for (const Holder holder : kHolds) {
    if (auto hold = holder(cluster, task, position, now)) return hold;
  }
  return std::nullopt;
}

std::string WhyQueueHolds(const Cluster& cluster, const std::string& queue, absl::Time now) {
  const QueueSettings& settings = cluster.queue_table.SettingsOf(queue);
  switch (cluster.gates.Look(queue, now)) {
    case scheduler::Gate::kOpen: break;
    case scheduler::Gate::kPaused: return absl::StrCat("is ", PauseText(cluster.queue_table.PauseOf(queue)));
    case scheduler::Gate::kFull:
      return absl::StrCat("runs ", cluster.gates.running(queue), " of at most ", settings.max_running);
    case scheduler::Gate::kRate: return absl::StrCat("starts at most ", RateWords(settings.start_rate));
  }
  return "";
}

std::string WhyKeyHolds(const Cluster& cluster, const Task& task) {
  const TaskSpec& spec = task.spec();
  if (const TaskId first = HasItsTurnBefore(cluster, task)) {
    return absl::StrCat("waits for the end of task ", IdToText(first.value()), ", which has ", spec.limit_key, " before it");
  }
  if (spec.limit == 0 || cluster.keys.MayStart(spec.limit_key, spec.limit)) return "";
  const uint64_t running = cluster.keys.running(spec.limit_key);
  return absl::StrCat(Tasks(running), " with ", spec.limit_key, running == 1 ? " runs, " : " run, ", spec.limit, " may");
}

std::string WhyClusterLacks(const Cluster& cluster, const Task& task, absl::Time now) {
  const auto lack = LackOf(cluster, task, now);
  if (!lack.has_value()) return "";
  const std::string taken = Taken(cluster.resources.StatusOf(lack->name));
  if (lack->kept_for) return absl::StrCat(taken, ", the rest is kept for task ", IdToText(lack->kept_for.value()));
  return lack->amount == 1 ? taken : absl::StrCat(taken, ", it asks for ", lack->amount);
}

std::string WhyClusterNeverHas(const Cluster& cluster, const Requirements& requirements) {
  const auto resource = cluster.resources.NeverEnough(requirements.of_cluster);
  if (!resource.has_value()) return "";
  const auto asked = std::find_if(requirements.of_cluster.begin(), requirements.of_cluster.end(),
                                  [&](const auto& entry) { return entry.first == resource->name; });
  return absl::StrCat("asks for ", asked->second, " ", resource->name, ", and the cluster has ", resource->total);
}

std::optional<WorkerId> EmptiedFor(const Cluster& cluster, TaskId task) {
  const auto& held = cluster.held_room;
  const auto found = std::find_if(held.begin(), held.end(), [task](const auto& room) { return room.second.task == task; });
  if (found == held.end()) return std::nullopt;
  return found->first;
}

scheduler::ClusterResources::Asker AskerOf(const Cluster& cluster, const Task& task) {
  return {task.id, cluster.queues.ClassOf(task.id).value_or(scheduler::ClassId()),
          task.queued_since - task.spec().priority * cluster.config.aging_interval, task.spec().requirements.of_cluster};
}

std::optional<scheduler::ClusterResources::Lack> LackOf(const Cluster& cluster, const Task& task, absl::Time now) {
  if (task.spec().requirements.of_cluster.empty()) return std::nullopt;
  return cluster.resources.LackOf(AskerOf(cluster, task), now,
                                  [&](TaskId other) { return MayStartOtherwise(cluster, other, now); });
}

}  // namespace muster::core
