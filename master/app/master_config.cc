#include "master/app/master_config.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/domain/balancer_kind.h"
#include "master/app/queue_config.h"

namespace muster::master {
namespace {

constexpr double kLeaseSlack = 1.05;

std::string Show(absl::Duration duration) { return absl::FormatDuration(absl::Ceil(duration, absl::Milliseconds(1))); }

void DeclareServers(MasterConfig* config, config::Schema* schema) {
  schema->Text("grpc.listen", &config->grpc_listen, "127.0.0.1:7070",
               "Where clients and workers connect. Port 0 takes a free one; any address but loopback needs TLS.");
  schema->Text("grpc.tls.certificate", &config->tls.certificate, "", "PEM file: the certificate of this master, which names it: spiffe://CLUSTER/master/NAME (docs/security.md).");
  schema->Text("grpc.tls.key", &config->tls.key, "", "PEM file: its private key.");
  schema->Text("grpc.tls.ca", &config->tls.ca, "",
               "PEM file: the authority of the cluster. Every client and worker needs a certificate of it.");
  schema->Number("grpc.max_connections", &config->max_connections, 10'000,
                 "Connections at a time; more are closed at once, and so are those that would take the last quarter of "
                 "the process's descriptors (1024 at most).",
                 {.least = 10, .most = 1'000'000});
  schema->Number("grpc.max_calls", &config->max_calls, 1000,
                 "Calls that one connection may have open at a time; more wait in the client.",
                 {.least = 10, .most = 100'000});
  schema->Number("grpc.max_streams", &config->max_streams, 4096,
                 "Readers at a time (watch, attach, logs, the activity log, drains); more are refused.",
                 {.least = 16, .most = 1'000'000});
  schema->Size("grpc.memory", &config->grpc_memory_bytes, int64_t{512} << 20,
               "Buffers of all connections; near it connections are slowed down and calls are ended.",
               {.least = 64 << 20});
  schema->Text("http.listen", &config->http_listen, "127.0.0.1:7080",
               "Metrics, health and events over plain HTTP; loopback only.");
  schema->Flag("http.events", &config->http_events, true, "Whether POST /v1/events/NAME is taken there; false: 404.");
  schema->Text("health.listen", &config->health_listen, "",
               "/metrics, /healthz and /readyz, read-only, on any address. Empty: nowhere.");
  schema->Text("policy.file", &config->policy_file, "",
               "Who may run what (docs/policy.md). Read at start. Empty: whoever may submit may run anything.");
  schema->Size("message.max", &config->message_bytes, int64_t{4} << 20, "The largest message that is taken or sent.",
               {.least = 65536, .most = 64 << 20});
}

void DeclareCluster(MasterConfig* config, config::Schema* schema) {
  core::CoreConfig& core = config->core;
  schema->Text("store.path", &config->store_path, "",
               "The directory of the database. Empty: $XDG_STATE_HOME/muster/master, or ~/.local/state/muster/master.");
  schema->Size("store.ballast", &config->ballast_bytes, int64_t{64} << 20,
               "A file of this size is kept, and let go when the disk is full, so that results and cancels still find "
               "room. 0: none.",
               {.least = 0});
  schema->Size("store.low_water", &config->low_water_bytes, int64_t{64} << 20,
               "With less than this free beside the store the ballast is let go and new tasks are refused.",
               {.least = 0});
  schema->Choice("scheduler.balancer", &config->balancer, std::string(BalancerName(BalancerKind::kLeastLoaded)), BalancerNames(),
                 "How a worker is chosen (docs/placement.md). `muster placement set` changes it over without a restart.");
  std::vector<std::string> shadows = BalancerNames();
  shadows.insert(shadows.begin(), "none");
  schema->Choice("scheduler.shadow_balancer", &config->shadow_balancer, "none", shadows,
                 "Another one that runs beside it and decides nothing: what it would have decided otherwise is counted and "
                 "logged.");
  schema->Time("scheduler.aging_interval", &core.aging_interval, absl::Seconds(60),
               "A waiting task gains one step of priority in this time.", {.least = 0.001});
  schema->Time("scheduler.reservation_after", &core.reservation_after, absl::Seconds(10),
               "A task that asks for more than one slot, has waited for so long and is overtaken gets a worker that is "
               "emptied for it; and what is free of what the cluster has as a whole is kept for it. 0: never.",
               {.least = 0, .most = 86400});
  schema->Number("workflows.max_running", &core.workflows_max_running, 0,
                 "Workflows that run at once; the others wait for their turn, in the order of their arrival. 0: any number.",
                 {.least = 0, .most = 1'000'000});
  schema->Number("workflows.max_parallel", &core.workflows_max_parallel, 0,
                 "Tasks that a workflow runs at once when it says nothing else. 0: as many as there is room for.",
                 {.least = 0, .most = 1'000'000});
  schema->Time("scheduler.straggler_floor", &core.straggler_floor, absl::Seconds(10),
               "An attempt is marked as a straggler when it has run twice as long as nine in ten runs of its command, and "
               "longer than this.",
               {.least = 0, .most = 86400});
  schema->Time("workers.heartbeat", &core.heartbeat, absl::Seconds(2), "Between a worker's heartbeats.",
               {.least = 0.05, .most = 3600});
  schema->Time("workers.lost_after", &core.lost_after, absl::Seconds(30), "A worker silent for this long is LOST.",
               {.least = 0.2, .most = 86400});
  schema->Time("workers.self_fence", &core.self_fence, absl::ZeroDuration(),
               "A worker that got no answer for this long stops its fenced attempts. 0: two thirds of "
               "workers.lost_after.");
  schema->Time("workers.kill_grace", &core.kill_grace, absl::ZeroDuration(),
               "From asking a command to end to killing it. 0: a sixth of workers.lost_after.");
  schema->Time("workers.fence_margin", &core.fence_margin, absl::ZeroDuration(),
               "Spare time for clocks and scheduling. 0: a tenth of workers.lost_after.");
  schema->Time("workers.shutdown_lease", &core.shutdown_lease, absl::Seconds(120),
               "How long a master that ends in order lets fenced attempts go on without it. The next one waits as long "
               "before it runs such an attempt anew.",
               {.least = 0.2, .most = 86400});
  schema->Flag("workers.quarantine.enabled", &core.quarantine, true,
               "Put workers aside that fail at least half of 10 attempts at what works elsewhere, never more than a "
               "third of them.");
  schema->Time("workers.quarantine.instant", &core.quarantine_instant, absl::Milliseconds(200),
               "After three failures in a row within this time each, a worker takes one attempt at a time until one "
               "succeeds.",
               {.least = 0.001, .most = 60});
  schema->Time("workers.quarantine.first_probe", &core.quarantine_first_probe, absl::Seconds(30),
               "After this time in quarantine one attempt is tried there; each that fails doubles it.",
               {.least = 0.1, .most = 86400});
  schema->Time("workers.quarantine.longest_probe", &core.quarantine_longest_probe, absl::Minutes(10),
               "The longest time between two such attempts.", {.least = 0.1, .most = 86400});
  schema->Number("queue.max_queued", &config->max_queued, 1'000'000,
                 "Tasks that may wait to start; more are refused.", {.least = 1});
  schema->Size("queue.max_queued_bytes", &core.max_queued_bytes, int64_t{2} << 30,
               "Bytes of the specifications of tasks that wait, and of the values that open workflows pass on; more are refused.", {.least = 1 << 20});
  schema->Time("queue.delay_target", &core.queue_delay_target, absl::ZeroDuration(),
               "While even the best-off tasks start later than this, submits are refused, lowest priority first. 0: "
               "never, for a batch queue is meant to be deep; set it where late work is worth nothing.",
               {.least = 0, .most = 86400});
  schema->Entries("queues", &config->queues, QueueFields(),
                  "Queues by name, with what is set of them. What `muster queue set` changes wins over it.");
  schema->Map("resources", &config->resources,
              "What the cluster has as a whole, counted over all workers: license.matlab=2,api=50. Tasks ask for it as for any "
              "named resource.");
  schema->List("executors.known", &config->known_executors,
               "Executors that tasks may name before any worker has offered them, besides command and noop.");
}

void DeclareRetention(store::RetentionConfig* retention, config::Schema* schema) {
  schema->Time("retention.tasks.age", &retention->tasks.age, absl::Hours(24 * 7),
               "Finished tasks are purged this long after their end. Open ones never are.", {.least = 1});
  schema->Number("retention.tasks.count", &retention->tasks.count, 1'000'000,
                 "The newest tasks that are kept; finished ones before them are purged.", {.least = 1});
  schema->Size("retention.tasks.bytes", &retention->tasks.bytes, int64_t{4} << 30,
               "Bytes of specifications and results that are kept; beyond it the oldest finished tasks are purged.",
               {.least = 1 << 20});
  schema->Time("retention.output.age", &retention->output.age, absl::Hours(24 * 7),
               "Retained output is dropped after this time; its task stays.", {.least = 1});
  schema->Size("retention.output.bytes", &retention->output.bytes, int64_t{4} << 30,
               "Bytes of retained output; beyond it the oldest is dropped.", {.least = 1 << 20});
  schema->Time("retention.activity.age", &retention->activity.age, absl::Hours(24 * 30),
               "Records of the activity log are dropped after this time.", {.least = 1});
  schema->Size("retention.activity.bytes", &retention->activity.bytes, int64_t{2} << 30,
               "Bytes of the activity log; beyond it the oldest records are dropped.", {.least = 1 << 20});
}

void DeclareLog(telemetry::LogConfig* log, config::Schema* schema) {
  schema->Choice("log.level", &log->level, "info", {"trace", "debug", "info", "warning", "error"},
                 "Lines below this level are not written. Lines about single tasks are debug.");
  schema->Choice("log.format", &log->format, "text", {"text", "json"}, "How lines look.");
  schema->Text("log.file", &log->file, "", "A file that rotates. Empty: stderr alone.");
  schema->Flag("log.stderr", &log->stderr_too, true, "Write to stderr too when there is a file.");
  schema->Size("log.file_size", &log->file_size_bytes, int64_t{64} << 20, "A file of this size is put aside.",
               {.least = 4096});
  schema->Number("log.file_count", &log->file_count, 5, "Files that are kept.", {.least = 1, .most = 1000});
  schema->Number("log.queue", &log->queue_lines, 8192, "Lines that wait to be written; more are dropped and counted.",
                 {.least = 64, .most = 1 << 20});
}

void Derive(core::CoreConfig* core) {
  if (core->self_fence <= absl::ZeroDuration()) core->self_fence = core->lost_after * 2 / 3;
  if (core->kill_grace <= absl::ZeroDuration()) core->kill_grace = core->lost_after / 6;
  if (core->fence_margin <= absl::ZeroDuration()) core->fence_margin = core->lost_after / 10;
  core->shutdown_lease = std::max(core->shutdown_lease, core->self_fence);
}

absl::Status CheckTimes(const core::CoreConfig& core) {
  const absl::Duration needed = (core.self_fence + core.kill_grace + core.fence_margin) * kLeaseSlack;
  if (core.lost_after < needed) {
    return absl::InvalidArgumentError(absl::StrCat(
        "workers.lost_after is ", Show(core.lost_after), ", but it must be at least ", Show(needed),
        ": 1.05 times workers.self_fence (", Show(core.self_fence), ") + workers.kill_grace (", Show(core.kill_grace),
        ") + workers.fence_margin (", Show(core.fence_margin), ")"));
  }
  if (core.lost_after < 3 * core.heartbeat) {
    return absl::InvalidArgumentError(absl::StrCat("workers.lost_after is ", Show(core.lost_after),
                                                   ", but it must be at least three times workers.heartbeat (",
                                                   Show(core.heartbeat), ")"));
  }
  if (core.quarantine_longest_probe < core.quarantine_first_probe) {
    return absl::InvalidArgumentError(absl::StrCat(
        "workers.quarantine.longest_probe is ", Show(core.quarantine_longest_probe),
        ", but it must be at least workers.quarantine.first_probe (", Show(core.quarantine_first_probe), ")"));
  }
  return absl::OkStatus();
}

// Both are choices of the schema, so they are balancers.
absl::StatusOr<PlacementSettings> ReadPlacement(const MasterConfig& config) {
  PlacementSettings settings{BalancerNamed(config.balancer).value_or(BalancerKind::kLeastLoaded),
                             BalancerNamed(config.shadow_balancer)};
  if (settings.shadow != settings.balancer) return settings;
  return absl::InvalidArgumentError(absl::StrCat("scheduler.shadow_balancer is ", config.shadow_balancer,
                                                 ", as scheduler.balancer: there would be nothing to compare"));
}

}  // namespace

void Declare(MasterConfig* config, config::Schema* schema) {
  DeclareServers(config, schema);
  DeclareCluster(config, schema);
  DeclareRetention(&config->retention, schema);
  DeclareLog(&config->log, schema);
  schema->Check([config] { return Finish(config); });
}

absl::Status Finish(MasterConfig* config) {
  if (!config->policy_file.empty()) {
    MUSTER_ASSIGN_OR_RETURN(policy::Policy policy, policy::Policy::ReadFile(config->policy_file));
    config->policy = std::make_shared<const policy::Policy>(std::move(policy));
  }
  if (!rpc::IsLoopback(config->http_listen)) {
    return absl::InvalidArgumentError(absl::StrCat("http.listen is ", config->http_listen,
                                                   ", but it serves loopback only; health.listen may be any address"));
  }
  if (!config->health_listen.empty() && !rpc::IsOneAddress(config->health_listen)) {
    return absl::InvalidArgumentError(
        absl::StrCat("health.listen is ", config->health_listen, ", but it must be one address, as 0.0.0.0:7082"));
  }
  if (!rpc::IsLoopback(config->grpc_listen) && (config->tls.Empty() || config->tls.ca.empty())) {
    return absl::InvalidArgumentError(
        absl::StrCat("grpc.listen is ", config->grpc_listen,
                     ", which is not loopback: that needs TLS (grpc.tls.certificate, grpc.tls.key, grpc.tls.ca; `muster pki` "
                     "makes the files)"));
  }
  if (config->store_path.empty()) config->store_path = DefaultStorePath();
  core::CoreConfig& core = config->core;
  Derive(&core);
  MUSTER_ASSIGN_OR_RETURN(core.placement, ReadPlacement(*config));
  core.max_queued = static_cast<uint64_t>(config->max_queued);
  MUSTER_ASSIGN_OR_RETURN(core.queues, ReadQueues(config->queues));
  MUSTER_ASSIGN_OR_RETURN(core.resources, ReadResources(config->resources));
  core.known_executors = {"command", "noop"};
  core.known_executors.insert(core.known_executors.end(), config->known_executors.begin(),
                              config->known_executors.end());
  return CheckTimes(core);
}

std::string DefaultStorePath() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/') {
    return absl::StrCat(state, "/muster/master");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return absl::StrCat(home, "/.local/state/muster/master");
  }
  return "muster-data";
}

}  // namespace muster::master
