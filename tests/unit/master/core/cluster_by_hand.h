// A Cluster without the core around it, for tests of one part: workers with an open session, tasks that are queued.
#pragma once

#include <string>
#include <utility>

#include "master/core/cluster.h"
#include "master/core/transitions.h"
#include "tests/support/test_cluster.h"

namespace muster::testing {

using core::AttemptPlace;
using core::Cluster;
using core::CoreConfig;
using core::Effects;
using core::MakeTaskGroup;
using core::Moment;
using core::PlaceOf;
using core::SpecificationRow;
using core::Task;
using core::Transitions;
using core::WorkerLink;

class ClusterByHand {
 public:
  WorkerId AddWorker(const std::string& name, uint32_t slots) {
    const WorkerId worker = std::get<registry::Joined>(
        cluster.workers.Join({name, Incarnation(7), name + ":7071", "", Offer(slots), {}, false}, now)).id;
    WorkerLink& link = cluster.link(worker);
    link.session = SessionNumber(worker.value());
    link.state = WorkerLink::Session::kOpen;
    cluster.workers.SetSession(worker, link.session);
    EXPECT_TRUE(cluster.workers.OpenSession(worker, link.session, Incarnation(7)));
    Changed(worker);
    return worker;
  }

  // As the core does after a change of its state or offer.
  void Changed(WorkerId worker) {
    cluster.workers.TakeChanges();
    cluster.balancer.Changed(cluster.workers.facts(worker));
    cluster.touched.insert(worker);
    ++cluster.offers_revision;
  }

  TaskId AddTask(TaskSpecPtr spec, WorkerId avoid = WorkerId()) {
    SpecificationRow row;
    row.first = cluster.next_id;
    row.spec = std::move(spec);
    cluster.next_id = cluster.next_id.Next();
    const TaskId id = row.first;
    Task* const task = cluster.tasks.Add(id, MakeTaskGroup(std::move(row)));
    task->avoid = avoid;
    transitions.Admit(turn(), *task);
    return id;
  }

  void Succeed(TaskId id) {
    Task& task = *cluster.tasks.Find(id);
    const AttemptPlace place = PlaceOf(task.state);
    transitions.Move(turn(), task, Running{place.attempt, place.worker, place.incarnation, now});
    transitions.End(turn(), task, TaskState::kSucceeded, {});
  }

  WorkerId WorkerOf(TaskId task) { return PlaceOf(cluster.tasks.Find(task)->state).worker; }
  Moment turn() { return {now, &effects}; }

  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  Effects effects;
  Cluster cluster{CoreConfig(), "by hand", Epoch(1)};
  Transitions transitions{&cluster};
};

}  // namespace muster::testing
