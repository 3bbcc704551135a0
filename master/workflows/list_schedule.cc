#include "master/workflows/list_schedule.h"

#include <algorithm>

#include "common/base/check.h"

namespace muster::workflows {
namespace {

template <typename Entry>
Entry PopOf(std::vector<Entry>* heap) {
  std::pop_heap(heap->begin(), heap->end());
  Entry top = heap->back();
  heap->pop_back();
  return top;
}

template <typename Entry>
void PushOn(std::vector<Entry>* heap, const Entry& entry) {
  heap->push_back(entry);
  std::push_heap(heap->begin(), heap->end());
}

}  // namespace

std::optional<ListSchedule::Outcome> ListSchedule::Run(uint64_t slots, absl::Duration limit) {
  MUSTER_CHECK(slots > 0);
  free_ = slots;
  Begin();
  Outcome outcome;
  Start(outcome.makespan);
  while (!running_.empty()) {
    outcome.most_running = std::max(outcome.most_running, slots - free_);
    outcome.makespan = running_.front().end;
    if (outcome.makespan > limit) return std::nullopt;
    while (!running_.empty() && running_.front().end == outcome.makespan) End(PopOf(&running_));
    Start(outcome.makespan);
  }
  return outcome;
}

void ListSchedule::Begin() {
  const size_t nodes = graph_.node_count();
  needs_left_.assign(nodes, 0);
  tasks_left_.assign(nodes, 0);
  ready_.clear();
  running_.clear();
  for (NodeIndex node = 0; node < nodes; ++node) {
    needs_left_[node] = static_cast<uint32_t>(graph_.needs(node).size());
    tasks_left_[node] = graph_.tasks(node);
  }
  for (NodeIndex node = 0; node < nodes; ++node) {
    if (graph_.needs(node).empty()) BecomeReady(node);
  }
}

void ListSchedule::BecomeReady(NodeIndex node) {
  if (runs_[node]) return PushOn(&ready_, {levels_[node], node, graph_.tasks(node)});
  over_.push_back(node);
}

void ListSchedule::Start(absl::Duration now) {
  while (free_ > 0 && !ready_.empty()) {
    Ready first = PopOf(&ready_);
    const uint32_t tasks = static_cast<uint32_t>(std::min<uint64_t>(free_, first.tasks));
    free_ -= tasks;
    PushOn(&running_, {now + times_[first.node], first.node, tasks});
    first.tasks -= tasks;
    if (first.tasks > 0) PushOn(&ready_, first);
  }
}

void ListSchedule::End(const Running& ended) {
  free_ += ended.tasks;
  tasks_left_[ended.node] -= ended.tasks;
  if (tasks_left_[ended.node] > 0) return;
  over_.push_back(ended.node);
  while (!over_.empty()) {
    const NodeIndex node = over_.back();
    over_.pop_back();
    for (const WorkflowEdge& dependent : graph_.dependents(node)) {
      if (--needs_left_[dependent.node] == 0) BecomeReady(dependent.node);
    }
  }
}

}  // namespace muster::workflows
