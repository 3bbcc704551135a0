// The tables that make up the cluster's state, and the turn that changes them. The parts of the core (admission,
// transitions, reports, losses, placing, ...) share one Cluster and own no state that another of them needs.
//
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "master/balancer/balancer.h"
#include "master/core/cluster_core.h"
#include "master/core/delay_floor.h"
#include "master/core/dependencies.h"
#include "master/core/due_times.h"
#include "master/core/effects.h"
#include "master/core/placement_table.h"
#include "master/core/queue_table.h"
#include "master/core/random.h"
#include "master/core/retry_policy.h"
#include "master/core/schedule_table.h"
#include "master/core/task_table.h"
#include "master/core/workflow_table.h"
#include "master/registry/worker_health.h"
#include "master/registry/worker_table.h"
#include "master/scheduler/cluster_resources.h"
#include "master/scheduler/key_limits.h"
#include "master/scheduler/queue_gates.h"
#include "master/scheduler/run_times.h"
#include "master/scheduler/task_queues.h"

namespace muster::core {

// One moment, and what comes of it.
struct Moment {
  absl::Time now;
  Effects* effects;

  template <typename E>
  void Emit(E effect) const {
    effects->effects.emplace_back(std::move(effect));
  }
  template <typename A>
  void Log(A record) const {
    effects->transaction.activity.push_back({now, std::move(record)});
  }
  Transaction& rows() const { return effects->transaction; }
};

// What the core knows of a worker beside the registry.
struct WorkerLink {
  enum class Session : uint8_t { kNone, kAsked, kOpen };

  Session state = Session::kNone;
  SessionNumber session;
  uint32_t failures = 0;                          // sessions in a row that did not open
  absl::Time retry_at = absl::InfiniteFuture();   // of the session
  absl::Time fenced_by = absl::InfinitePast();    // by then it has surely killed what is fenced, if it hears nothing
  absl::Time drain_deadline = absl::InfiniteFuture();
  std::string drain_reason;
  // Until then Hello of a new incarnation must have come, or what its predecessor held is lost to silence.
  absl::Time proof_deadline = absl::InfiniteFuture();
  uint32_t suspects = 0;                          // attempts there of tasks that two workers died of
  absl::btree_map<uint64_t, TaskId> prefetched;   // sent ahead and not started, in the order of dispatch
  // Started ones; they count when their process turns out dead.
  std::vector<std::pair<AttemptKey, Incarnation>> lost_in_silence;
};

// A worker that is emptied for a class of tasks, and for the first of them by name.
struct HeldFor {
  TaskId task;
  scheduler::ClassId cls;
  absl::Time until;
};

struct Cluster {
  Cluster(CoreConfig core_config, std::string id, Epoch number);

  const CoreConfig config;
  const std::string cluster_id;
  const Epoch epoch;

  TaskId next_id{1};
  std::vector<TaskRange> skipped_ids;  // given out, if at all, by a copy of the store that was lost;
  TaskId copied_below;                 // and so were, of the tasks below this one,
  uint32_t copied_attempts = 0;        // attempts up to this number
  SessionNumber last_session;
  uint64_t dispatch_count = 0;

  TaskTable tasks;
  registry::WorkerTable workers;
  registry::WorkerHealth health;
  scheduler::TaskQueues queues;
  scheduler::QueueGates gates;
  scheduler::KeyLimits keys;
  scheduler::ClusterResources resources;
  QueueTable queue_table;
  scheduler::RunTimes run_times;
  balancer::Balancer balancer;
  PlacementTable placement;
  DueTimes dues;
  Dependencies dependencies;
  ScheduleTable schedules;
  Surroundings around;
  WorkflowTable workflows;
  RetryBudget retry_budget;
  DelayFloor delay_floor;
  Random random;
  CoreCounters counters;

  absl::flat_hash_map<WorkerId, WorkerLink> links;
  absl::btree_set<WorkerId> touched;                        // changed, or forgotten, since the last round
  absl::btree_map<WorkerId, HeldFor> held_room;             // by held_room.h
  uint64_t offers_revision = 1;                             // one more whenever some worker's offer or state changed
  absl::flat_hash_map<TaskId, absl::Time> paused;           // queued, but not looked at until then
  absl::btree_set<TaskId> retries_beyond_budget;            // pending, waiting for the cluster's retry budget
  absl::flat_hash_map<std::string, bool> offered_executors;  // ever, or an open task's; whether the store knows

  bool admission_open = true;
  std::string admission_closed_because;
  bool stopping = false;

  WorkerLink& link(WorkerId worker) { return links[worker]; }
  Dependencies::OpenIn open_in() const;  // valid while this is
  // The session to send on; 0: none is open.
  SessionNumber OpenSessionOf(WorkerId worker) const;
  std::string NameOf(WorkerId worker) const;  // "" for none
  // The workers that ran most of a kind of command, as far as it was learned.
  balancer::Favourites RanBefore(uint64_t fingerprint) const;
  // With what the cluster has as a whole taken out of what is asked of a worker; often the same one.
  TaskSpecPtr Settled(TaskSpecPtr spec) const;
};

}  // namespace muster::core
