// The master as a whole: every part made in dependency order, started, and stopped in exactly the reverse.
//
//   configuration → logging (both by main) → metrics and HTTP → store and recovery → core and loop → listeners → ready
//
//   absl::StatusOr<std::unique_ptr<Master>> master = Master::Start(config, version, hooks);
//   (*master)->grpc_address();  ...  (*master)->Stop("SIGTERM");
//
// Thread rule: Start, Stop and the destructor by one thread; RequestStop from any. Ownership: it owns every part.
// Errors: of Start, one line for a person, naming the key, the address or the file.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/server.h"
#include "common/runtime/clock.h"
#include "common/telemetry/http_server.h"
#include "common/telemetry/metrics.h"
#include "master/app/master_config.h"
#include "master/app/master_loop.h"
#include "master/app/placement_log.h"
#include "master/dispatcher/dispatcher.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/cluster_service.h"
#include "master/request_handler/event_calls.h"
#include "master/request_handler/queue_board.h"
#include "master/request_handler/queue_service.h"
#include "master/request_handler/workflow_service.h"
#include "master/request_handler/registry_service.h"
#include "master/request_handler/schedule_service.h"
#include "master/request_handler/task_service.h"
#include "master/request_handler/timers.h"
#include "master/store/store.h"

namespace muster::master {

struct MasterHooks {
  // RequestStop was called: whoever owns the master should Stop it. Any thread; must not call Stop itself.
  std::function<void()> on_stop_request;
  // A commit failed for good: the process must end now. The loop's thread; does not return in a real process.
  std::function<void(const absl::Status&)> on_fatal;
};

class Master {
 public:
  static absl::StatusOr<std::unique_ptr<Master>> Start(const MasterConfig& config, const std::string& version,
                                                       MasterHooks hooks);
  ~Master();
  Master(const Master&) = delete;
  Master& operator=(const Master&) = delete;

  std::string grpc_address() const { return server_->address(); }
  std::string http_address() const { return http_->address(); }
  std::string health_address() const { return health_ == nullptr ? "" : health_->address(); }

  // `resume`: workers that were drained for this end alone.
  void RequestStop(const std::string& reason, std::vector<std::string> resume = {});
  std::string stop_reason() const;  // of the first RequestStop; empty: none

  // In order, within 5 s. Not OK: the clean end could not be written.
  absl::Status Stop(const std::string& reason);

 private:
  Master(const MasterConfig& config, MasterHooks hooks);

  absl::Status StartHttp();
  absl::Status OpenStore(const std::string& version);
  void MakeParts();
  absl::Status Listen();
  void CountRefusedConnections(size_t count);
  void RefreshHealth();
  void TellOfDamage();
  std::string Unready() const;
  void AddProcessMetrics(const std::string& version);

  // In dependency order: what is below uses what is above.
  const MasterConfig config_;
  const MasterHooks hooks_;
  mutable absl::Mutex mutex_;
  std::string stage_ ABSL_GUARDED_BY(mutex_) = "starting";  // why it is not ready; empty: it is
  std::string stop_reason_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> resume_at_stop_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const rpc::TlsSource> tls_;  // null: plain text
  const runtime::SystemClock clock_;
  telemetry::Metrics metrics_;
  telemetry::Counter& refused_connections_ = metrics_.AddCounter(
      "muster_connections_refused_total", "gRPC connections closed at once, because there were too many.");
  handler::PendingCalls calls_;
  PlacementLog placement_log_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<core::ClusterCore> core_;
  std::unique_ptr<dispatcher::DispatcherMetrics> dispatcher_metrics_;
  std::unique_ptr<MasterLoop> loop_;
  std::unique_ptr<handler::QueueBoard> queue_board_;
  std::unique_ptr<handler::TaskService> tasks_;
  std::unique_ptr<dispatcher::Dispatcher> dispatcher_;
  std::unique_ptr<handler::ClusterService> cluster_;
  std::unique_ptr<handler::QueueService> queues_;
  std::unique_ptr<handler::EventCalls> event_calls_;
  std::unique_ptr<handler::ScheduleService> schedules_;
  std::unique_ptr<handler::WorkflowService> workflows_;
  std::unique_ptr<handler::RegistryService> registry_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<handler::Timers> timers_;
  std::unique_ptr<telemetry::HttpServer> http_;
  std::unique_ptr<telemetry::HttpServer> health_;
  std::string told_damage_;  // the timers' own
  bool loop_started_ = false;
};

}  // namespace muster::master
