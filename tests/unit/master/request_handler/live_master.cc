#include "tests/unit/master/request_handler/live_master.h"

#include <cstdlib>
#include <filesystem>

#include "common/base/id_text.h"
#include "master/request_handler/scheduled_run.h"

namespace muster::handler {

LiveMaster::LiveMaster(TaskLimits limits) {
  std::string pattern = (std::filesystem::temp_directory_path() / "muster-tasks-XXXXXX").string();
  directory_ = mkdtemp(pattern.data());
  auto opened = store::OpenSqliteStore({.directory = directory_});
  EXPECT_TRUE(opened.ok()) << opened.status();
  store_ = *std::move(opened);
  auto recovered = store_->LoadOpen(absl::Now());
  EXPECT_TRUE(recovered.ok()) << recovered.status();
  // The workers of these tests do not heartbeat.
  core::CoreConfig config;
  config.heartbeat = absl::Hours(1);
  config.lost_after = absl::Hours(10);
  config.make_run = [this](const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
    return MakeScheduledRun(board_.get(), scheduled, origin);
  };
  config.make_workflow = [this](const std::string& scheduled, const core::RunOrigin& origin) {
    return MakeScheduledWorkflow(board_.get(), scheduled, origin);
  };
  config.prefetch_limit = 0;  // one slot, one task at work
  core_ = std::make_unique<core::ClusterCore>(config, *std::move(recovered));
  loop_ = std::make_unique<TestLoop>(core_.get(), store_.get());
  workers_ = std::make_unique<TestWorkers>(loop_.get());
  board_ = std::make_unique<QueueBoard>(core_->SettingsOfQueues());
  service_ = std::make_unique<TaskService>(TaskServiceDeps{.events = loop_.get(),
                                                           .inspector = loop_.get(),
                                                           .store = store_.get(),
                                                           .calls = &calls_,
                                                           .clock = &clock_,
                                                           .queues = board_.get(),
                                                           .limits = limits});
  queues_ = std::make_unique<QueueService>(QueueDeps{.events = loop_.get(), .inspector = loop_.get(), .calls = &calls_});
  events_ = std::make_unique<EventCalls>(EventDeps{.events = loop_.get(),
                                                   .inspector = loop_.get(),
                                                   .store = store_.get(),
                                                   .calls = &calls_,
                                                   .queues = board_.get(),
                                                   .clock = &clock_,
                                                   .limits = limits});
  schedules_ = std::make_unique<ScheduleService>(ScheduleDeps{
      .events = loop_.get(), .inspector = loop_.get(), .calls = &calls_, .event_calls = events_.get(), .clock = &clock_});
  workflows_ = std::make_unique<WorkflowService>(WorkflowDeps{
      .events = loop_.get(), .inspector = loop_.get(), .store = store_.get(), .calls = &calls_, .queues = board_.get(), .limits = limits});
  service_->SetOutputSource(workers_.get());
  loop_->AddListener(service_.get());
  loop_->AddListener(workers_.get());
  loop_->AddListener(board_.get());
  loop_->AddListener(&calls_);
  loop_->Start();
  auto server = rpc::Server::Start({.listen = "127.0.0.1:0"}, {service_->service(), queues_.get(), schedules_.get(), workflows_.get()});
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  channel_ = rpc::MakeChannel(server_->address(), grpc::InsecureChannelCredentials(), 64 << 20);
}

LiveMaster::~LiveMaster() {
  service_->Stop(absl::UnavailableError("the test is over"));
  calls_.FailAll(absl::UnavailableError("the test is over"));
  server_->Stop(absl::Milliseconds(500));
  loop_->Stop();
  server_.reset();
  workflows_.reset();
  schedules_.reset();
  events_.reset();
  queues_.reset();
  service_.reset();
  core_.reset();
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void LiveMaster::Join(const std::string& name, uint32_t slots) {
  const Incarnation incarnation(++incarnations_);
  workers_->Joins(name, incarnation);
  WorkerOffer offer;
  offer.capacity.slots = slots;
  offer.executors = {{.name = "command"}, {.name = "noop"}};
  loop_->PostAlways(core::WorkerJoin{.name = name, .incarnation = incarnation, .address = "nowhere:1", .offer = offer});
}

AttemptKey LiveMaster::AwaitAssignment() {
  EXPECT_TRUE(Eventually([this] { return workers_->assigned_count() > next_assignment_; }));
  if (workers_->assigned_count() <= next_assignment_) return {};
  return workers_->assigned(next_assignment_++).key;
}

void LiveMaster::Started(AttemptKey key) {
  core::WorkerReports reports = workers_->ReportsFor(key);
  reports.started.push_back({key, absl::Now()});
  loop_->PostAlways(std::move(reports));
}

void LiveMaster::End(AttemptKey key, int exit_code, const std::string& out, const std::string& err, NamedValues outputs) {
  auto report = std::make_shared<AttemptReport>();
  report->key = key;
  report->end.reason = EndReason::kExited;
  report->end.exit_code = exit_code;
  report->stdout_output.head = out;
  report->stdout_output.total_bytes = static_cast<int64_t>(out.size());
  report->stderr_output.head = err;
  report->stderr_output.total_bytes = static_cast<int64_t>(err.size());
  report->start_time = report->end_time = absl::Now();
  report->started = true;
  report->outputs = std::move(outputs);
  core::WorkerReports reports = workers_->ReportsFor(key);
  reports.results.push_back(std::move(report));
  loop_->PostAlways(std::move(reports));
}

std::string LiveMaster::Submit(std::function<void(v1::SubmitRequest*)> change) {
  v1::SubmitRequest request;
  request.mutable_task()->mutable_command()->add_argv("true");
  if (change) change(&request);
  v1::SubmitResponse response;
  grpc::ClientContext context;
  const grpc::Status status = Stub()->Submit(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.task().id();
}

v1::Task LiveMaster::Get(const std::string& selector) {
  v1::GetRequest request;
  request.set_selector(selector);
  v1::GetResponse response;
  grpc::ClientContext context;
  const grpc::Status status = Stub()->Get(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.task();
}

bool LiveMaster::AwaitState(const std::string& selector, v1::TaskState state) {
  return Eventually([&] { return Get(selector).state() == state; });
}

}  // namespace muster::handler
