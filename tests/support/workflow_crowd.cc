#include "tests/support/workflow_crowd.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/support/test_cluster.h"

namespace muster::testing {
namespace {

core::SubmitWorkflow Made(std::vector<WorkflowNode> nodes) {
  auto spec = std::make_shared<WorkflowSpec>();
  spec->owner = "ann";
  spec->nodes = std::move(nodes);
  core::SubmitWorkflow submit;
  for (uint32_t node = 0; node < spec->nodes.size(); ++node) {
    submit.nodes.emplace_back().node = node;
    submit.nodes.back().spec = std::make_shared<TaskSpec>(*Spec());
  }
  submit.workflow = std::move(spec);
  return submit;
}

// Nobody beats here: a worker is there from its Join to the end. What is sent runs, so nothing is sent ahead.
core::CoreConfig Patient(core::CoreConfig config) {
  config.prefetch_limit = 0;
  config.heartbeat = absl::Hours(10'000);
  config.lost_after = absl::Hours(100'000);
  return config;
}

}  // namespace

core::SubmitWorkflow Chain(uint32_t length) {
  std::vector<WorkflowNode> nodes(length);
  for (uint32_t node = 1; node < length; ++node) nodes[node].needs = {{node - 1}};
  return Made(std::move(nodes));
}

core::SubmitWorkflow Fan(uint64_t width) {
  core::SubmitWorkflow made = Made({{}, {{{0}}}, {{{1}}}});
  made.nodes[1].rows = std::make_shared<const ArgumentRows>(width, std::vector<std::string>{"row"});
  return made;
}

WorkflowCrowd::WorkflowCrowd(core::CoreConfig config, std::vector<uint32_t> slots, uint32_t seed, absl::Duration mean)
    : config_(Patient(std::move(config))), random_(seed), mean_(mean) {
  core_ = std::make_unique<core::ClusterCore>(config_, core::RecoveredState());
  core_->Start(now_, &effects_);
  Turn();
  for (const uint32_t each : slots) Join(absl::StrCat("w", names_.size()), each);
}

void WorkflowCrowd::Join(const std::string& name, uint32_t slots) {
  core::WorkerJoin join;
  join.name = name;
  join.incarnation = Incarnation(names_.size() + 1);
  join.address = name + ":7071";
  join.offer = Offer(slots);
  names_[name];
  core_->Apply(join, now_, &effects_);
  for (const core::Effect& effect : effects_.effects) {
    const auto* const open = std::get_if<core::OpenSession>(&effect);
    if (open == nullptr) continue;
    names_[name] = open->worker;
    workers_[open->worker] = {{open->worker, open->session, {}, {}, {}, {}, {}}, slots, 0};
    slots_ += slots;
    Apply(core::SessionOpened{open->worker, open->session, join.incarnation, {}});
    return;
  }
  ADD_FAILURE() << name << " did not join";
}

size_t WorkflowCrowd::Submit(core::SubmitWorkflow submit) {
  Flow& flow = flows_.emplace_back();
  flow.submitted = now_;
  flow.max_parallel = submit.workflow->max_parallel != 0 ? submit.workflow->max_parallel
                                                         : static_cast<uint64_t>(config_.workflows_max_parallel);
  core_->Apply(std::move(submit), now_, &effects_);
  EXPECT_EQ(effects_.transaction.workflow_parts.size(), 1u);
  const core::WorkflowPartRow& part = effects_.transaction.workflow_parts.back();
  flow.id = part.workflow;
  for (const NodeTasks& node : part.tasks) flow.tasks += node.tasks.count;
  by_id_[flow.id] = by_first_task_[flow.id] = flows_.size() - 1;  // its tasks come after it
  Turn();
  return flows_.size() - 1;
}

void WorkflowCrowd::Apply(core::Event event) {
  core_->Apply(std::move(event), now_, &effects_);
  Turn();
}

void WorkflowCrowd::Run() {
  while (!::testing::Test::HasFatalFailure()) {
    while (core_->NextDue() <= now_) Turn();
    if (!ReportNext()) return;
    Turn();
  }
}

// All that ends next, at one time.
bool WorkflowCrowd::ReportNext() {
  if (attempts_.empty()) return false;
  now_ = attempts_.top().ends;
  while (!attempts_.empty() && attempts_.top().ends == now_) {
    const Attempt ended = attempts_.top();
    attempts_.pop();
    --workers_.at(ended.worker).running;
    --FlowOf(ended.key.task).running;
    workers_.at(ended.worker).reports.results.push_back(Report(ended.key, EndReason::kExited));
  }
  for (auto& entry : workers_) {
    core::WorkerReports& reports = entry.second.reports;
    if (reports.results.empty()) continue;
    core_->Apply(reports, now_, &effects_);
    reports.results.clear();
  }
  return true;
}

void WorkflowCrowd::Turn() {
  core_->Turn(now_, &effects_);
  if (++turns_ % 1024 == 0) core_->CheckInvariants();
  Look();
  effects_ = {};
}

void WorkflowCrowd::Look() {
  for (const core::WorkflowStateRow& row : effects_.transaction.workflow_states) OnState(row);
  for (const core::AttemptRow& row : effects_.transaction.attempts) OnStart(row);
  most_flows_running_ = std::max<uint64_t>(most_flows_running_, running_flows_.size());
  if (config_.workflows_max_running != 0) {
    ASSERT_LE(running_flows_.size(), static_cast<size_t>(config_.workflows_max_running));
  }
}

void WorkflowCrowd::OnStart(const core::AttemptRow& row) {
  Worker& worker = workers_.at(names_.at(row.worker));
  Flow& flow = FlowOf(row.key.task);
  ASSERT_LE(++worker.running, worker.slots) << row.worker;
  ++flow.running;
  flow.most_running = std::max(flow.most_running, flow.running);
  flow.starts.push_back(now_);
  if (flow.max_parallel != 0) {
    ASSERT_LE(flow.running, flow.max_parallel) << "workflow " << flow.id.value();
  }
  const absl::Duration time = absl::Milliseconds(std::uniform_int_distribution<int64_t>(mean_ / absl::Milliseconds(2),
                                                                                       3 * (mean_ / absl::Milliseconds(2)))(random_));
  busy_ += time;
  attempts_.push({now_ + time, row.key, names_.at(row.worker)});
}

void WorkflowCrowd::OnState(const core::WorkflowStateRow& row) {
  Flow& flow = flows_[by_id_.at(row.workflow)];
  flow.state = row.state;
  if (row.state == WorkflowState::kRunning) running_flows_.insert(row.workflow);
  if (!HasEnded(row.state)) return;
  running_flows_.erase(row.workflow);
  flow.ended = now_;
}

}  // namespace muster::testing
