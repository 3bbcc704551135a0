#include "master/app/master.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/config/time_zone.h"
#include "common/convert/convert.h"
#include "common/telemetry/log.h"
#include "master/app/store_metrics.h"
#include "master/request_handler/event_http.h"
#include "master/request_handler/scheduled_run.h"
#include "master/store/sqlite_store.h"

namespace muster::master {
namespace {

// Together below the 5 s that a shut-down may take.
constexpr absl::Duration kStopLoop = absl::Milliseconds(3500);
constexpr absl::Duration kStopServer = absl::Milliseconds(500);
constexpr absl::Duration kLongestLinger = absl::Milliseconds(2500);
constexpr absl::Duration kShortestBridge = absl::Milliseconds(20);
constexpr absl::Duration kLongestBridge = absl::Milliseconds(250);
constexpr absl::Duration kHealthInterval = absl::Seconds(1);

absl::Status Stopping() {
  return Refuse(absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Master>> Master::Start(const MasterConfig& config, const std::string& version,
                                                      MasterHooks hooks) {
  std::unique_ptr<Master> master(new Master(config, std::move(hooks)));
  MUSTER_ASSIGN_OR_RETURN(master->tls_, rpc::TlsSource::Open(config.tls, security::Role::kMaster));
  MUSTER_RETURN_IF_ERROR(master->StartHttp());
  master->AddProcessMetrics(version);
  MUSTER_RETURN_IF_ERROR(master->OpenStore(version));
  master->MakeParts();
  const absl::Status listening = master->Listen();
  master->loop_started_ = true;
  master->loop_->Start();  // also when it cannot listen: what is in the store gets its clean end
  if (!listening.ok()) {
    (void)master->Stop("could not listen");
    return listening;
  }
  master->loop_->WaitStarted();  // with a million open tasks the core's own recovery takes a second or two
  {
    absl::MutexLock lock(&master->mutex_);
    master->stage_.clear();
  }
  master->RefreshHealth();
  return master;
}

Master::Master(const MasterConfig& config, MasterHooks hooks) : config_(config), hooks_(std::move(hooks)) {}

Master::~Master() {
  if (loop_started_) (void)Stop("the master is destroyed");
}

absl::Status Master::StartHttp() {
  telemetry::HttpConfig http;
  http.listen = config_.http_listen;
  http.metrics = &metrics_;
  http.unready = [this] { return Unready(); };
  http.unhealthy = [this] {
    absl::MutexLock lock(&mutex_);
    return stage_.empty() ? loop_->Unhealthy() : "";
  };
  if (config_.http_events) http.event = [this](const std::string& name, const std::string& body) -> telemetry::HttpReply {
    if (std::string unready = Unready(); !unready.empty()) return {503, std::move(unready), absl::Seconds(1)};
    return handler::ServeEvent(event_calls_.get(), tasks_->refusals(), name, body);
  };
  MUSTER_ASSIGN_OR_RETURN(http_, telemetry::HttpServer::Start(http));
  http.event = nullptr;
  if (config_.health_listen.empty()) return absl::OkStatus();
  http.listen = config_.health_listen;
  MUSTER_ASSIGN_OR_RETURN(health_, telemetry::HttpServer::Start(http));
  return absl::OkStatus();
}

absl::Status Master::OpenStore(const std::string& version) {
  {
    absl::MutexLock lock(&mutex_);
    stage_ = "recovering";
  }
  MUSTER_ASSIGN_OR_RETURN(store_, store::OpenSqliteStore({.directory = config_.store_path,
                                                          .ballast_bytes = config_.ballast_bytes,
                                                          .low_water_bytes = config_.low_water_bytes,
                                                          .retention = config_.retention,
                                                          .version = version}));
  MUSTER_ASSIGN_OR_RETURN(core::RecoveredState recovered, store_->LoadOpen(clock_.Calendar()));
  MUSTER_LOG(kInfo, "store open",
             {{"path", config_.store_path}, {"cluster", recovered.cluster_id}, {"epoch", recovered.epoch.value()},
              {"open_tasks", recovered.tasks.size()}, {"last_end_clean", recovered.last_end_clean ? 1 : 0}});
  if (recovered.damaged_run_times > 0) {
    MUSTER_LOG(kWarning, "rows of learned run times are damaged; what they held is learned anew",
               {{"path", config_.store_path}, {"rows", recovered.damaged_run_times}});
  }
  core::CoreConfig core = config_.core;
  core.version = version;
  core.describe = [](const TaskSpec& spec) { return convert::CommandText(spec); };
  core.make_run = [this](const TaskSpecPtr& scheduled, const core::RunOrigin& origin) {
    return handler::MakeScheduledRun(queue_board_.get(), scheduled, origin);  // made before the loop starts
  };
  core.make_workflow = [this](const std::string& scheduled, const core::RunOrigin& origin) {
    return handler::MakeScheduledWorkflow(queue_board_.get(), scheduled, origin);
  };
  core.load_zone = config::LoadZone;
  core.seed = static_cast<uint64_t>(absl::ToUnixNanos(clock_.Now()));
  core_ = std::make_unique<core::ClusterCore>(std::move(core), std::move(recovered));
  return absl::OkStatus();
}

void Master::MakeParts() {
  dispatcher_metrics_ = std::make_unique<dispatcher::DispatcherMetrics>(&metrics_);
  LoopOptions options;
  options.linger = std::min(config_.core.heartbeat * 1.25, kLongestLinger);
  options.slow_commit = std::clamp(config_.core.heartbeat / 4, kShortestBridge, kLongestBridge);
  options.on_fatal = hooks_.on_fatal;
  AddStoreMetrics(&metrics_, store_.get());
  loop_ = std::make_unique<MasterLoop>(core_.get(), store_.get(), &clock_, &metrics_, std::move(options));
  queue_board_ = std::make_unique<handler::QueueBoard>(core_->SettingsOfQueues());
  handler::TaskLimits limits;
  limits.streams = static_cast<size_t>(config_.max_streams);
  limits.policy = config_.policy.get();
  tasks_ = std::make_unique<handler::TaskService>(handler::TaskServiceDeps{.events = loop_.get(),
                                                                           .inspector = loop_.get(),
                                                                           .store = store_.get(),
                                                                           .calls = &calls_,
                                                                           .clock = &clock_,
                                                                           .metrics = &metrics_,
                                                                           .queues = queue_board_.get(),
                                                                           .limits = limits});
  dispatcher::SessionPorts ports;
  ports.cluster_id = core_->cluster_id();
  ports.epoch = core_->epoch();
  ports.events = loop_.get();
  ports.output = tasks_.get();
  ports.congested = [loop = loop_.get()] { return loop->congested(); };
  ports.metrics = dispatcher_metrics_.get();
  ports.bounds.most_bytes = config_.message_bytes - 4096;
  dispatcher_ = std::make_unique<dispatcher::Dispatcher>(
      std::move(ports), [tls = tls_, most = config_.message_bytes](const std::string& worker, const std::string& address) {
        const auto credentials = rpc::ChannelCredentials(tls, {.role = security::Role::kWorker, .name = worker});
        return rpc::MakeChannel(address, credentials, static_cast<int>(most));
      });
  tasks_->SetOutputSource(dispatcher_.get());
  cluster_ = std::make_unique<handler::ClusterService>(
      handler::ClusterDeps{.events = loop_.get(),
                           .inspector = loop_.get(),
                           .store = store_.get(),
                           .calls = &calls_,
                           .refusals = tasks_->refusals(),
                           .start_time = clock_.Now(),
                           .request_stop = [this](const std::string& reason, std::vector<std::string> resume) {
                             RequestStop(reason, std::move(resume));
                           },
                           .most_streams = static_cast<size_t>(config_.max_streams)});
  queues_ = std::make_unique<handler::QueueService>(handler::QueueDeps{
      .events = loop_.get(), .inspector = loop_.get(), .calls = &calls_, .refusals = tasks_->refusals()});
  event_calls_ = std::make_unique<handler::EventCalls>(handler::EventDeps{.events = loop_.get(),
                                                                          .inspector = loop_.get(),
                                                                          .store = store_.get(),
                                                                          .calls = &calls_,
                                                                          .queues = queue_board_.get(),
                                                                          .clock = &clock_,
                                                                          .limits = limits});
  schedules_ = std::make_unique<handler::ScheduleService>(handler::ScheduleDeps{.events = loop_.get(),
                                                                                .inspector = loop_.get(),
                                                                                .calls = &calls_,
                                                                                .event_calls = event_calls_.get(),
                                                                                .refusals = tasks_->refusals(),
                                                                                .clock = &clock_,
                                                                                .limits = limits});
  workflows_ = std::make_unique<handler::WorkflowService>(handler::WorkflowDeps{.events = loop_.get(),
                                                                                .inspector = loop_.get(),
                                                                                .store = store_.get(),
                                                                                .calls = &calls_,
                                                                                .queues = queue_board_.get(),
                                                                                .refusals = tasks_->refusals(),
                                                                                .limits = limits});
  registry_ = std::make_unique<handler::RegistryService>(handler::RegistryDeps{.events = loop_.get(),
                                                                               .calls = &calls_,
                                                                               .refusals = tasks_->refusals(),
                                                                               .cluster_id = core_->cluster_id(),
                                                                               .epoch = core_->epoch(),
                                                                               .heartbeat = config_.core.heartbeat,
                                                                               .self_fence = config_.core.self_fence,
                                                                               .kill_grace = config_.core.kill_grace});
  // Work leaves first, watchers hear next, and the caller last.
  loop_->AddListener(dispatcher_.get());
  loop_->AddListener(tasks_.get());
  loop_->AddListener(cluster_.get());
  loop_->AddListener(queue_board_.get());
  loop_->AddListener(&placement_log_);
  loop_->AddListener(&calls_);
}

absl::Status Master::Listen() {
  const rpc::ServerConfig config{.listen = config_.grpc_listen,
                                 .tls = tls_,
                                 .client_certificate = rpc::ClientCertificate::kRequired,
                                 .refused_call = [refusals = tasks_->refusals()](const absl::Status& refusal, const std::string& by) {
                                   refusals->Count(refusal, by);
                                 },
                                 .max_message_bytes = static_cast<int>(config_.message_bytes),
                                 .max_connections = static_cast<size_t>(config_.max_connections),
                                 .max_calls = static_cast<int>(config_.max_calls),
                                 .memory_bytes = static_cast<size_t>(config_.grpc_memory_bytes),
                                 .refused_connections = [this](size_t count) { CountRefusedConnections(count); }};
  MUSTER_ASSIGN_OR_RETURN(server_,
                          rpc::Server::Start(config, {tasks_->service(), cluster_.get(), queues_.get(), schedules_.get(), workflows_.get(), registry_.get()}));
  timers_ = std::make_unique<handler::Timers>();
  return absl::OkStatus();
}

void Master::CountRefusedConnections(size_t count) {
  refused_connections_.Increment(static_cast<double>(count));
  MUSTER_LOG(kWarning, "connections closed: there are too many", {{"count", count}, {"key", "grpc.max_connections"}});
}

// Once a second, so that grpc.health.v1 tells what /readyz tells.
void Master::RefreshHealth() {
  server_->SetServing("", Unready().empty());
  TellOfDamage();
  timers_->After(kHealthInterval, [this] { RefreshHealth(); });
}

void Master::TellOfDamage() {
  std::string damage = store_->Damage();
  if (damage == told_damage_) return;
  if (damage.empty()) {
    MUSTER_LOG(kInfo, "the scrub finds no damage any more", {{"path", config_.store_path}});
  } else {
    MUSTER_LOG(kError, "the scrub found damage", {{"place", damage}});
  }
  told_damage_ = std::move(damage);
}

std::string Master::Unready() const {
  absl::MutexLock lock(&mutex_);
  return stage_.empty() ? loop_->Unready() : stage_;
}

void Master::RequestStop(const std::string& reason, std::vector<std::string> resume) {
  {
    absl::MutexLock lock(&mutex_);
    if (stop_reason_.empty()) stop_reason_ = reason;
    if (!resume.empty()) resume_at_stop_ = std::move(resume);
  }
  if (hooks_.on_stop_request) hooks_.on_stop_request();
}

std::string Master::stop_reason() const {
  absl::MutexLock lock(&mutex_);
  return stop_reason_;
}

absl::Status Master::Stop(const std::string& reason) {
  if (!std::exchange(loop_started_, false)) return absl::OkStatus();
  MUSTER_LOG(kInfo, "stopping", {{"reason", reason}});
  core::StopMaster stop{.reason = reason};
  {
    absl::MutexLock lock(&mutex_);
    stage_ = "the master is stopping";
    stop.resume = std::move(resume_at_stop_);
  }
  timers_.reset();
  if (server_ != nullptr) server_->SetServing("", false);
  loop_->PostAlways(std::move(stop));
  const bool clean = loop_->WaitStopped(kStopLoop);
  if (!clean) loop_->Abort();
  calls_.FailAll(Stopping());
  tasks_->Stop(Stopping());
  cluster_->Stop(Stopping());
  dispatcher_->Shutdown();
  if (server_ != nullptr) server_->Stop(kStopServer);
  loop_->Join();
  MUSTER_LOG(kInfo, "stopped", {{"clean", clean ? 1 : 0}});
  return clean ? absl::OkStatus() : absl::DeadlineExceededError("the clean end could not be written in time");
}

void Master::AddProcessMetrics(const std::string& version) {
  metrics_.AddGauge("muster_build_info", "Always 1; the version is a label.", {{"version", version}}).Set(1);
  metrics_.AddGaugeCallback("muster_start_time_seconds", "When the master started.", {},
                            [start = absl::ToDoubleSeconds(clock_.Now() - absl::UnixEpoch())] { return start; });
  metrics_.AddCounterCallback("muster_log_lines_dropped_total", "Log lines that found the queue full.", {},
                              [] { return static_cast<double>(telemetry::DroppedLogLines()); });
}

}  // namespace muster::master
