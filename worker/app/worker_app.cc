#include "worker/app/worker_app.h"

#include <unistd.h>

#include <atomic>
#include <random>
#include <utility>
#include <vector>

#include <grpcpp/channel.h>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/rpc/server.h"
#include "common/telemetry/http_server.h"
#include "common/telemetry/log.h"
#include "common/telemetry/metrics.h"
#include "worker/app/boot_clock.h"
#include "worker/app/drain_narration.h"
#include "worker/app/host_listener.h"
#include "worker/app/load_probe.h"
#include "worker/app/output_relay.h"
#include "worker/app/worker_loop.h"
#include "worker/app/worker_metrics.h"
#include "worker/core/lease.h"
#include "worker/session/registry_client.h"
#include "worker/session/worker_service.h"

namespace muster::worker {
namespace {

constexpr absl::Duration kTellMasterOfDrain = absl::Seconds(1);
constexpr absl::Duration kLastWords = absl::Milliseconds(500);
constexpr absl::Duration kLookAtDrain = absl::Milliseconds(100);
constexpr size_t kServerMemoryBytes = size_t{128} << 20;  // one master's session, and people with grpcurl
constexpr absl::Duration kServerStopGrace = absl::Milliseconds(500);
constexpr char kExecutorService[] = "muster.executor.";
constexpr int kNotTaken = 125;

Incarnation DrawIncarnation() {
  std::random_device device;
  const uint64_t drawn = uint64_t{device()} << 32 | device();
  return Incarnation(drawn == 0 ? 1 : drawn);
}

class WorkerAppImpl final : public WorkerApp {
 public:
  explicit WorkerAppImpl(Options options)
      : options_(std::move(options)),
        loop_(options_.config.name, {.slots = static_cast<uint32_t>(options_.config.slots),
                                     .max_held = static_cast<uint32_t>(options_.config.max_held)}),
        relay_(&clock_, [this] { loop_.Post(SessionMessage()); }),
        worker_metrics_(&metrics_, static_cast<uint32_t>(options_.config.slots), [this] { return View(); },
                        [this] { return relay_.relayed_bytes(); }),
        service_({.here = {options_.config.name, options_.config.master, options_.config.policy.get()},
                  .incarnation = incarnation_,
                  .drain_timeout = options_.config.drain_timeout,
                  .clock = &clock_,
                  .sink = [this](SessionMessage message) { loop_.Post(std::move(message)); },
                  .direct = {.acknowledge = [this](AttemptKey key, plugin::Stream stream,
                                                   int64_t offset) { host_->Acknowledge(key, stream, offset); },
                             .stop = [this](AttemptKey key) { StopDirectCall(key); }},
                  .check_executor = [this](const std::string& name) { return CheckExecutor(name); }}),
        listener_(&loop_, &service_, &relay_, &worker_metrics_, [this] { OfferChanged(); }) {}

  ~WorkerAppImpl() override { Stop(); }

  absl::Status Bring() {
    const WorkerConfig& config = options_.config;
    if (const std::string key = KeyOfAuthority(config); !key.empty()) {
      MUSTER_LOG(kWarning, "the authority's key is on a worker: a command that reads it can be anyone; carry over the worker's three files alone",
                 {{"key", key}});
    }
    MUSTER_ASSIGN_OR_RETURN(tls_, rpc::TlsSource::Open(config.tls, security::Role::kWorker));
    execution::HostConfig host_config = MakeHostConfig(config);
    host_config.metrics = &metrics_;
    MUSTER_ASSIGN_OR_RETURN(host_, options_.make_host(std::move(host_config), &listener_));
    relay_.SetHost(host_.get());
    probe_ = std::make_unique<LoadProbe>(
        LoadProbe::Marks{config.work_dir, config.disk_low_water_bytes, config.memory_low_water_bytes}, host_.get());
    loop_.Start({.clock = &clock_,
                 .host = host_.get(),
                 .service = &service_,
                 .relay = &relay_,
                 .metrics = &worker_metrics_,
                 .fence = options_.fence,
                 .drained = [this](uint32_t unacknowledged) { Drained(unacknowledged); },
                 .load_changed = [this] { Poke(); }});
    MUSTER_RETURN_IF_ERROR(BringServers());
    return BringRegistry();
  }

  std::string grpc_address() const override { return server_->address(); }
  std::string http_address() const override { return http_ == nullptr ? "" : http_->address(); }
  std::string health_address() const override { return health_ == nullptr ? "" : health_->address(); }

  void Drain(absl::Duration timeout) override {
    MUSTER_LOG(kInfo, "draining", {{"timeout", absl::FormatDuration(timeout)}});
    if (registry_running_) registry_->SetDraining();
    loop_.Post(DrainRequested{.deadline = clock_.Now() + timeout, .leaving = true});
  }

  bool WaitUntilEnded(absl::Duration wait) override {
    absl::MutexLock lock(&end_mutex_);
    return end_mutex_.AwaitWithTimeout(absl::Condition(&ended_), wait);
  }

  void Stop() override {
    if (std::exchange(stopped_, true)) return;
    {
      absl::MutexLock lock(&end_mutex_);
      stopping_ = true;
    }
    if (registry_ != nullptr) {
      // So that nothing more is on its way to a worker that is about to go.
      if (registry_->joined() && loop_.view().draining) registry_->WaitUntilDrainIsKnown(kTellMasterOfDrain);
      registry_running_ = false;
      registry_->Stop();
    }
    service_.EndAll();
    {
      absl::MutexLock lock(&server_mutex_);
      serving_ = false;
    }
    if (server_ != nullptr) server_->Stop(kServerStopGrace);
    health_.reset();
    LetDrainCallsEnd();
    http_.reset();
    loop_.Stop();
    host_.reset();
  }

  int exit_code() const override {
    absl::MutexLock lock(&end_mutex_);
    return exit_code_;
  }
  std::string last_words() const override {
    absl::MutexLock lock(&end_mutex_);
    return last_words_;
  }

 private:
  absl::Status BringServers() {
    const WorkerConfig& config = options_.config;
    telemetry::HttpConfig http{.listen = config.health_listen,
                               .metrics = &metrics_,
                               .unhealthy = [] { return std::string(); },
                               .unready = [this] { return Unready(); }};
    if (!config.health_listen.empty()) {
      MUSTER_ASSIGN_OR_RETURN(health_, telemetry::HttpServer::Start(http));
    }
    if (!config.http_listen.empty()) {
      http.listen = config.http_listen;
      http.drain = [this](const telemetry::SayLine& say) { return DrainAloud(say); };
      MUSTER_ASSIGN_OR_RETURN(http_, telemetry::HttpServer::Start(std::move(http)));
    }
    MUSTER_ASSIGN_OR_RETURN(server_, rpc::Server::Start(
                                         {.listen = config.grpc_listen,
                                          .tls = tls_,
                                          .client_certificate = rpc::ClientCertificate::kRequired,
                                          .refused_call = [this](const absl::Status& refusal,
                                                                 const std::string& by) { CountRefusedCall(refusal, by); },
                                          .memory_bytes = kServerMemoryBytes,
                                          .refused_connections = [this](size_t count) { CountRefusedConnections(count); }},
                                         {&service_}));
    {
      absl::MutexLock lock(&server_mutex_);
      serving_ = true;
    }
    ShowHealth();
    return absl::OkStatus();
  }

  void CountRefusedConnections(size_t count) {
    worker_metrics_.refused_connections.Increment(static_cast<double>(count));
    MUSTER_LOG(kWarning, "connections closed: there are too many", {{"count", count}});
  }

  void CountRefusedCall(const absl::Status& refusal, const std::string& by) {
    worker_metrics_.refused_calls.Increment();
    MUSTER_LOG(kDebug, "call refused", {{"by", by}, {"why", std::string(refusal.message())}});
  }

  absl::Status BringRegistry() {
    const WorkerConfig& config = options_.config;
    const auto credentials = rpc::ChannelCredentials(tls_, {.role = security::Role::kMaster});
    const std::string address = AdvertisedAddress(config, server_->address());
    MUSTER_LOG(kInfo, "worker starts",
               {{"name", config.name}, {"pid", getpid()}, {"address", address}, {"master", config.master},
                {"slots", config.slots}, {"kill_tier", host_->KillTier()}, {"isolation", host_->Isolation()}});
    if (geteuid() == 0 && !config.isolation.others()) {
      MUSTER_LOG(kWarning, "commands run as root, strict ones as nobody; isolation.users or isolation.user changes that", {});
    }
    registry_ = RegistryClient::Start({.name = config.name,
                                       .incarnation = incarnation_,
                                       .address = address,
                                       .version = options_.version,
                                       .channel = rpc::MakeChannel(config.master, credentials),
                                       .master = config.master,
                                       .clock = &clock_,
                                       .name_patience = options_.name_patience,
                                       .load = [this] { return Load(); },
                                       .offer = [this] { return Offer(); },
                                       .times_told = [this](absl::Duration grace) { TimesTold(grace); },
                                       .lease_extended = [this](absl::Time until, const std::string& cluster_id, Epoch epoch,
                                                                SessionNumber first_valid_session) {
                                         LeaseExtended({until, cluster_id, epoch, first_valid_session});
                                       },
                                       .refused = [this](const absl::Status& status) { Refused(status); }});
    registry_running_ = true;
    Poke();  // what changed before it was there
    return absl::OkStatus();
  }

  // --- What the registry client asks and tells

  WorkerLoad Load() {
    LoadProbe::Reading reading = probe_->Look(loop_.view());
    {
      absl::MutexLock lock(&end_mutex_);
      if (reading.shortage != shortage_) {
        shortage_ = reading.shortage;
        MUSTER_LOG(kWarning, "what it refuses because of", {{"shortage", shortage_}});
        loop_.Post(RefusalChanged{shortage_});
      }
    }
    ShowHealth();
    return std::move(reading.load);
  }

  WorkerOffer Offer() const {
    WorkerOffer offer = FixedOffer(options_.config);
    offer.executors = host_->Executors();
    return offer;
  }

  void TimesTold(absl::Duration kill_grace) {
    options_.fence->patience_ns.store(absl::ToInt64Nanoseconds(kill_grace / 2));
  }

  void LeaseExtended(worker::LeaseExtended extended) {
    // Straight to the supervisor: a busy loop must not look like the end of the lease.
    lease_.Extend(extended.until, extended.cluster_id, extended.epoch);
    options_.fence->lease_until_ns.store(clock_.ToBootTimeNanoseconds(lease_.until()));
    loop_.Post(std::move(extended));
  }

  void Refused(const absl::Status& status) {
    End(kNotTaken, absl::StrCat("the master at ", options_.config.master, " does not take this worker: ",
                                std::string(status.message())));
  }

  void Poke() {
    if (registry_running_) registry_->Poke();
  }

  // --- Health

  void OfferChanged() {
    ShowHealth();
    Poke();
  }

  // Tells grpc.health.v1 the truth about each executor, and about the worker: it serves while it can take some work.
  void ShowHealth() {
    absl::MutexLock lock(&server_mutex_);
    if (!serving_ || host_ == nullptr) return;
    bool some = false;
    for (const ExecutorOffer& executor : host_->Executors()) {
      server_->SetServing(kExecutorService + executor.name, executor.healthy);
      some = some || executor.healthy;
    }
    const bool takes_work = some && !loop_.view().draining;
    server_->SetServing("", takes_work);
    server_->SetServing("muster.v1.WorkerService", takes_work);
  }

  absl::Duration MasterSilentFor() const {
    return registry_running_ ? registry_->silent_for() : absl::ZeroDuration();
  }

  // A session over which nobody is heard counts for none, though no connection has been reset.
  WorkerCoreView View() const {
    WorkerCoreView view = loop_.view();
    view.session_open = view.session_open && MasterSilentFor() == absl::ZeroDuration();
    return view;
  }

  std::string Unready() const {
    const WorkerCoreView view = loop_.view();
    if (!view.refuses_because.empty()) return view.refuses_because;
    std::vector<std::string> ill;
    for (const ExecutorOffer& executor : host_->Executors()) {
      if (!executor.healthy) ill.push_back(absl::StrCat("executor ", executor.name, ": ", executor.reason));
    }
    if (!ill.empty()) return absl::StrJoin(ill, "\n");
    if (!registry_running_ || !registry_->joined()) return "not joined to the master";
    if (const absl::Duration silent = MasterSilentFor(); silent > absl::ZeroDuration()) {
      return absl::StrCat("no answer from the master for ", absl::FormatDuration(absl::Trunc(silent, absl::Seconds(1))));
    }
    if (!view.session_open) return "no session from the master";
    return "";
  }

  absl::Status CheckExecutor(const std::string& name) const {
    for (const ExecutorOffer& executor : host_->Executors()) {
      if (executor.name != name) continue;
      if (executor.healthy) return absl::OkStatus();
      return Refuse(absl::StatusCode::kUnavailable, "EXECUTOR_UNHEALTHY",
                    absl::StrCat("executor ", name, " is not well: ", executor.reason));
    }
    return RefuseField("UNKNOWN_EXECUTOR", "task.executor", absl::StrCat(name, " is not an executor of this worker"));
  }

  // The caller left: nobody reads, and nobody waits for its end.
  void StopDirectCall(AttemptKey key) {
    for (const plugin::Stream stream : {plugin::Stream::kStdout, plugin::Stream::kStderr}) host_->Detach(key, stream);
    host_->Stop(key, EndReason::kCancelled, absl::InfiniteDuration());
  }

  // --- The end

  // As SIGTERM does it, told to the caller. True: drained, and every result is acknowledged.
  bool DrainAloud(const telemetry::SayLine& say) {
    CountDrainCalls(1);
    const absl::Cleanup no_more = [this] { CountDrainCalls(-1); };
    Drain(options_.config.drain_timeout);
    DrainNarration narration(options_.config.name);
    while (true) {
      const bool over = WaitUntilOver(kLookAtDrain);
      for (const std::string& line : narration.Next(loop_.view(), clock_.Now())) {
        if (!say(line)) return false;
      }
      if (over) break;
    }
    bool drained = false;
    const std::string last = LastOfDrain(&drained);
    return say(last) && drained;
  }

  std::string LastOfDrain(bool* drained) const {
    absl::MutexLock lock(&end_mutex_);
    *drained = ended_ && exit_code_ == 0;
    return *drained ? "drained" : absl::StrCat("not drained: ", ended_ ? last_words_ : "the worker stops");
  }

  void CountDrainCalls(int more) {
    absl::MutexLock lock(&end_mutex_);
    drain_calls_ += more;
  }

  // Whoever is told of a drain hears how it ended; one who does not listen is not waited for.
  void LetDrainCallsEnd() {
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(end_mutex_) { return drain_calls_ == 0; };
    absl::MutexLock lock(&end_mutex_);
    end_mutex_.AwaitWithTimeout(absl::Condition(&none), kLastWords);
  }

  // Ended, or about to be stopped all the same.
  bool WaitUntilOver(absl::Duration wait) {
    const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(end_mutex_) { return ended_ || stopping_; };
    absl::MutexLock lock(&end_mutex_);
    return end_mutex_.AwaitWithTimeout(absl::Condition(&over), wait);
  }

  void Drained(uint32_t unacknowledged) {
    if (unacknowledged == 0) return End(0, "");
    End(1, absl::StrCat(unacknowledged, " results were not acknowledged by the master"));
  }

  void End(int exit_code, std::string last_words) {
    {
      absl::MutexLock lock(&end_mutex_);
      if (ended_) return;
      ended_ = true;
      exit_code_ = exit_code;
      last_words_ = std::move(last_words);
    }
    if (options_.ended) options_.ended();
  }

  // In dependency order; see worker/app/threads.h.
  const Options options_;
  const Incarnation incarnation_ = DrawIncarnation();
  std::shared_ptr<const rpc::TlsSource> tls_;  // null: plain text
  BootClock clock_;
  telemetry::Metrics metrics_;
  WorkerLoop loop_;
  OutputRelay relay_;
  WorkerMetrics worker_metrics_;
  WorkerService service_;
  HostListener listener_;
  std::unique_ptr<execution::ExecutionHost> host_;
  std::unique_ptr<LoadProbe> probe_;
  std::unique_ptr<telemetry::HttpServer> http_;
  std::unique_ptr<telemetry::HttpServer> health_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<RegistryClient> registry_;
  Lease lease_;  // of the thread that registry_ calls on
  std::atomic<bool> registry_running_{false};

  absl::Mutex server_mutex_;
  bool serving_ ABSL_GUARDED_BY(server_mutex_) = false;  // the server is there and its health may be set

  mutable absl::Mutex end_mutex_;
  std::string shortage_ ABSL_GUARDED_BY(end_mutex_);
  bool ended_ ABSL_GUARDED_BY(end_mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(end_mutex_) = false;
  int exit_code_ ABSL_GUARDED_BY(end_mutex_) = 0;
  int drain_calls_ ABSL_GUARDED_BY(end_mutex_) = 0;  // that are told of it now
  std::string last_words_ ABSL_GUARDED_BY(end_mutex_);
  bool stopped_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerApp>> WorkerApp::Start(Options options) {
  auto app = std::make_unique<WorkerAppImpl>(std::move(options));
  MUSTER_RETURN_IF_ERROR(app->Bring());
  return app;
}

}  // namespace muster::worker
