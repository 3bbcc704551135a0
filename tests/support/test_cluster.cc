#include "tests/support/test_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace muster::testing {

TaskSpecPtr Spec(const std::function<void(TaskSpec&)>& change) {
  auto spec = std::make_shared<TaskSpec>();
  spec->owner = "user@host";
  spec->requirements.executor = "command";
  spec->requirements.resources.slots = 1;
  spec->payload = "a specification";
  if (change) change(*spec);
  return spec;
}

WorkerOffer Offer(uint32_t slots, std::vector<std::pair<std::string, std::string>> labels) {
  WorkerOffer offer;
  offer.capacity.slots = slots;
  offer.capacity.cpu_millis = 1000 * slots;
  offer.capacity.memory_bytes = int64_t{1} << 30;
  offer.labels = std::move(labels);
  offer.executors = {{"command", "1"}, {"noop", "1"}};
  return offer;
}

AttemptReportPtr Report(AttemptKey key, EndReason reason, int code, bool started, bool stopped) {
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = reason;
  if (reason == EndReason::kExited) report->end.exit_code = code;
  if (reason == EndReason::kSignaled) report->end.signal = code;
  report->end.usage.wall_time = absl::Milliseconds(1);
  report->started = started;
  report->stopped = stopped;
  return report;
}

TestCluster::TestCluster(core::CoreConfig config) : now_(absl::FromUnixSeconds(1'800'000'000)) { Restart(std::move(config)); }
TestCluster::~TestCluster() = default;

const std::vector<core::Effect>& TestCluster::Apply(core::Event event) {
  effects_ = {};
  core_->Apply(std::move(event), now_, &effects_);
  core_->Turn(now_, &effects_);
  Finish();
  return effects_.effects;
}

const std::vector<core::Effect>& TestCluster::Turn() {
  effects_ = {};
  core_->Turn(now_, &effects_);
  Finish();
  return effects_.effects;
}

void TestCluster::Finish() {
  EXPECT_EQ(store_.Commit(effects_.transaction), "");
  core_->CheckInvariants();
  for (const core::Effect& effect : effects_.effects) Follow(effect);
  AnswerFindEnds();
}

// At once, and as if it were of the same step.
void TestCluster::AnswerFindEnds() {
  core::EndsFound found;
  for (const core::FindEnds& find : Seen<core::FindEnds>()) {
    for (const core::RangeEnds& ends : store_.FindEnds(find.ranges)) found.ends.push_back(ends);
  }
  if (found.ends.empty() || !answers_find_ends) return;
  const std::vector<core::Effect> before = std::move(effects_.effects);
  Apply(std::move(found));
  effects_.effects.insert(effects_.effects.begin(), before.begin(), before.end());
}

void TestCluster::Follow(const core::Effect& effect) {
  if (const auto* open = std::get_if<core::OpenSession>(&effect)) {
    workers_[open->name].id = open->worker;
    workers_[open->name].session = open->session;
    workers_[open->name].open = false;
  }
}

void TestCluster::Advance(absl::Duration by) {
  now_ += by;
  Turn();
}

void TestCluster::AdvanceBeating(absl::Duration by, const std::vector<std::string>& workers) {
  const absl::Time end = now_ + by;
  while (now_ < end) {
    now_ = std::min(end, now_ + absl::Seconds(1));
    for (const std::string& name : workers) Heartbeat(name);
  }
}

void TestCluster::Restart(core::CoreConfig config) {
  core_ = std::make_unique<core::ClusterCore>(std::move(config), store_.LoadOpen());
  effects_ = {};
  core_->Start(now_, &effects_);
  core_->Turn(now_, &effects_);
  Finish();
}

void TestCluster::Join(const std::string& name, uint32_t slots, std::vector<core::HeldAttempt> held) {
  Incarnation incarnation = workers_[name].incarnation;
  if (!incarnation) incarnation = Incarnation(++incarnations_);
  JoinOnly(name, Offer(slots), incarnation);
  Hello(name, std::move(held));
}

void TestCluster::JoinOnly(const std::string& name, WorkerOffer offer, Incarnation incarnation) {
  workers_[name].incarnation = incarnation;
  workers_[name].offer = offer;
  core::WorkerJoin join;
  join.call = CallId(++calls_);
  join.name = name;
  join.incarnation = incarnation;
  join.address = name + ":7071";
  join.offer = std::move(offer);
  Apply(std::move(join));
}

void TestCluster::Hello(const std::string& name, std::vector<core::HeldAttempt> held) {
  Worker& worker = workers_.at(name);
  worker.open = true;
  Apply(core::SessionOpened{worker.id, worker.session, worker.incarnation, std::move(held)});
}

void TestCluster::Heartbeat(const std::string& name) {
  core::WorkerHeartbeat beat;
  beat.call = CallId(++calls_);
  beat.name = name;
  beat.incarnation = workers_.at(name).incarnation;
  Apply(std::move(beat));
}

void TestCluster::CloseSession(const std::string& name) {
  Worker& worker = workers_.at(name);
  worker.open = false;
  Apply(core::SessionClosed{worker.id, worker.session, "the wire broke"});
}

void TestCluster::Reincarnate(const std::string& name) {
  JoinOnly(name, workers_.at(name).offer, Incarnation(++incarnations_ + 1000));
  Hello(name);
}

TaskId TestCluster::Submit(TaskSpecPtr spec) {
  core::SubmitTasks event;
  event.tasks.push_back({std::move(spec), TaskId()});
  const core::SubmitAnswer answer = SubmitAll(std::move(event));
  EXPECT_TRUE(answer.status.ok()) << answer.status;
  return answer.status.ok() ? answer.tasks.front().first : TaskId();
}

core::SubmitAnswer TestCluster::SubmitAll(core::SubmitTasks event) {
  event.call = CallId(++calls_);
  Apply(std::move(event));
  const auto answers = Seen<core::SubmitAnswer>();
  MUSTER_CHECK(answers.size() == 1);
  return answers.front();
}

core::CancelAnswer TestCluster::Cancel(TaskId task, std::string reason) {
  core::CancelTasks event;
  event.call = CallId(++calls_);
  event.tasks = {{task, 1}};
  event.by = "user@host";
  event.reason = std::move(reason);
  Apply(std::move(event));
  const auto answers = Seen<core::CancelAnswer>();
  MUSTER_CHECK(answers.size() == 1);
  return answers.front();
}

AttemptKey TestCluster::KeyOf(TaskId task) {
  const auto view = core_->FindTask(task);
  MUSTER_CHECK(view.has_value());
  if (const auto* at = std::get_if<Dispatched>(&view->state)) return {task, at->attempt};
  if (const auto* at = std::get_if<Running>(&view->state)) return {task, at->attempt};
  if (const auto* at = std::get_if<muster::Validating>(&view->state)) return {task, at->attempt};
  if (const auto* at = std::get_if<Unknown>(&view->state)) return {task, at->attempt};
  ADD_FAILURE() << "task " << task.value() << " has no attempt: " << TaskStateName(StateOf(task));
  return {task, AttemptNumber()};
}

std::string TestCluster::WorkerOf(TaskId task) { return core_->FindTask(task)->worker; }

void TestCluster::Started(TaskId task) { StartedAs(WorkerOf(task), KeyOf(task)); }

void TestCluster::StartedAs(const std::string& name, AttemptKey key) {
  const Worker& worker = workers_.at(name);
  core::WorkerReports reports{worker.id, worker.session};
  reports.started.push_back({key, now_});
  Apply(std::move(reports));
}

void TestCluster::Validating(TaskId task) {
  const Worker& worker = workers_.at(WorkerOf(task));
  core::WorkerReports reports{worker.id, worker.session};
  reports.validating.push_back({KeyOf(task), now_});
  Apply(std::move(reports));
}

void TestCluster::Exit(TaskId task, int code) { ReportAs(WorkerOf(task), Report(KeyOf(task), EndReason::kExited, code)); }

void TestCluster::Succeed(TaskId task, NamedValues outputs) {
  auto report = std::make_shared<AttemptReport>(*Report(KeyOf(task), EndReason::kExited));
  report->outputs = std::move(outputs);
  ReportAs(WorkerOf(task), std::move(report));
}

void TestCluster::End(TaskId task, EndReason reason, bool started, bool stopped) {
  ReportAs(WorkerOf(task), Report(KeyOf(task), reason, 0, started, stopped));
}

void TestCluster::ReportAs(const std::string& name, AttemptReportPtr report) {
  const Worker& worker = workers_.at(name);
  core::WorkerReports reports{worker.id, worker.session};
  reports.results.push_back(std::move(report));
  Apply(std::move(reports));
}

void TestCluster::GiveBack(TaskId task) {
  const Worker& worker = workers_.at(WorkerOf(task));
  core::WorkerReports reports{worker.id, worker.session};
  reports.given_back.push_back(KeyOf(task));
  Apply(std::move(reports));
}

void TestCluster::Refuse(TaskId task, const std::string& why) {
  const Worker& worker = workers_.at(WorkerOf(task));
  core::WorkerReports reports{worker.id, worker.session};
  reports.refused.push_back({KeyOf(task), why});
  Apply(std::move(reports));
}

TaskState TestCluster::StateOf(TaskId task) const {
  if (const auto view = core_->FindTask(task)) return muster::StateOf(view->state);
  const auto* stored = store_.Find(task);
  return stored != nullptr && stored->outcome ? stored->outcome->state : TaskState::kNone;
}

std::string TestCluster::ReasonOf(TaskId task) const {
  if (const auto view = core_->FindTask(task)) return view->reason;
  const auto* stored = store_.Find(task);
  return stored != nullptr && stored->outcome ? stored->outcome->message : "";
}

}  // namespace muster::testing
