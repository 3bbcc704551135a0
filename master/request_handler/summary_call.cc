#include "master/request_handler/summary_call.h"

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/task_note.h"
#include "master/request_handler/task_view.h"

namespace muster::handler {
namespace {

constexpr int kStates = 16;
constexpr int32_t kMostLongestRunning = 100;

// What a summary needs of one turn.
struct Snapshot {
  std::string cluster_id;
  Epoch epoch;
  std::string version;
  core::CoreCounters counters;
  std::vector<WorkerView> workers;
  std::vector<QueueView> queues;
  std::vector<ClusterResourceView> resources;
  bool admission_open = true;
  std::vector<TaskNote> longest_running;
};

Snapshot Take(const core::ClusterCore& core, absl::Time now, size_t longest_running) {
  Snapshot taken{core.cluster_id(), core.epoch(), core.config().version, core.counters(), core.Workers(),
                 core.Queues(now), core.Resources(), core.admission_open(), {}};
  if (longest_running == 0) return taken;
  for (const TaskId id : core.LongestRunning(longest_running)) taken.longest_running.push_back(NoteOf(*core.FindTask(id)));
  return taken;
}

uint64_t Failed(const core::CoreCounters& counters) {
  uint64_t failed = 0;
  for (const TaskState state : {TaskState::kFailed, TaskState::kTimedOut, TaskState::kLost, TaskState::kPoisoned}) {
    failed += counters.ended_by_state[static_cast<size_t>(state)];
  }
  return failed;
}

void CountWorkers(const std::vector<WorkerView>& workers, v1::ClusterSummary* summary) {
  uint32_t active = 0, slots = 0, used = 0;
  for (const WorkerView& worker : workers) {
    if (worker.state == WorkerState::kLost) continue;
    used += worker.used.slots;
    slots += worker.offer.capacity.slots;
    if (worker.state == WorkerState::kActive) ++active;
  }
  summary->set_worker_count(static_cast<uint32_t>(workers.size()));
  summary->set_active_worker_count(active);
  summary->set_slots(slots);
  summary->set_used_slots(used);
}

void Fill(const ClusterResourceView& from, v1::ClusterResource* to) {
  to->set_name(from.name);
  to->set_amount(from.amount);
  to->set_used(from.used);
  to->set_waiting_count(static_cast<int64_t>(from.waiting));
  for (const TaskId task : from.takers) to->add_task_ids(IdToText(task.value()));
}

void Fill(const Snapshot& from, absl::Time start_time, v1::ClusterSummary* to) {
  to->set_cluster_id(from.cluster_id);
  to->set_epoch(from.epoch.value());
  to->set_version(from.version);
  convert::ToProto(start_time, to->mutable_start_time());
  int64_t ended = 0;
  for (int i = 1; i < kStates; ++i) {
    ended += static_cast<int64_t>(from.counters.ended_by_state[i]);
    if (from.counters.open_by_state[i] == 0) continue;
    v1::StateCount* count = to->add_open_tasks();
    count->set_state(static_cast<v1::TaskState>(i));
    count->set_count(static_cast<int64_t>(from.counters.open_by_state[i]));
  }
  to->set_accepted_count(static_cast<int64_t>(from.counters.accepted));
  to->set_ended_count(ended);
  CountWorkers(from.workers, to);
  for (const QueueView& queue : from.queues) {
    v1::QueueSummary* out = to->add_queues();
    out->set_name(queue.name);
    out->set_queued_count(static_cast<int64_t>(queue.queued));
    out->set_running_count(static_cast<int64_t>(queue.running));
    convert::ToProto(queue.oldest_wait, out->mutable_oldest_wait());
  }
  for (const ClusterResourceView& resource : from.resources) Fill(resource, to->add_resources());
  to->set_draining(!from.admission_open);
  to->set_dispatched_count(static_cast<int64_t>(from.counters.dispatched));
  to->set_failed_count(static_cast<int64_t>(Failed(from.counters)));
  to->set_straggler_count(static_cast<int64_t>(from.counters.stragglers));
}

}  // namespace

absl::Status GetSummary(const SummaryPorts& ports, const v1::GetSummaryRequest& request, v1::GetSummaryResponse* response) {
  if (request.longest_running() < 0 || request.longest_running() > kMostLongestRunning) {
    return RefuseField("BAD_LIMIT", "longest_running", absl::StrCat("must be 0 to ", kMostLongestRunning));
  }
  const auto longest = static_cast<size_t>(request.longest_running());
  const absl::StatusOr<Snapshot> snapshot =
      AskLoop<Snapshot>(ports.inspector, ports.inspect_wait,
                        [longest](const core::ClusterCore& core) { return Take(core, absl::Now(), longest); });
  MUSTER_RETURN_IF_ERROR(snapshot.status());
  Fill(*snapshot, ports.start_time, response->mutable_summary());
  SpecCache specs;
  for (const TaskNote& note : snapshot->longest_running) {
    ViewNote(note, Detail::kList, &specs, response->add_longest_running());
  }
  return absl::OkStatus();
}

}  // namespace muster::handler
