#include "worker/app/worker_config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/domain/isolation.h"
#include "common/domain/validation.h"
#include "worker/app/machine.h"

namespace muster::worker {
namespace {

constexpr size_t kLongestName = 128;
constexpr const char* kShipped[] = {"command", "noop"};

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kLongestName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
         });
}

std::string NameOfHost() {
  std::string name = HostName();
  for (char& c : name) {
    if (!IsName(std::string(1, c))) c = '-';
  }
  return name.substr(0, kLongestName);
}

std::string StateDirectory() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/') return state;
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return absl::StrCat(home, "/.local/state");
  }
  return absl::StrCat("/tmp/muster-", getuid());
}

std::string Get(const config::Entry& entry, const std::string& field) {
  const auto it = entry.find(field);
  return it == entry.end() ? "" : it->second;
}

absl::Status Bad(const std::string& key, const std::string& problem) {
  return absl::InvalidArgumentError(absl::StrCat(key, ": ", problem));
}

absl::Status CompleteExecutors(WorkerConfig* config, const std::string& plugin_dir) {
  for (const char* shipped : kShipped) {
    const bool named = std::any_of(config->executors.begin(), config->executors.end(),
                                   [shipped](const config::Entry& entry) { return Get(entry, "name") == shipped; });
    if (!named) config->executors.push_back({{"name", shipped}});
  }
  std::vector<std::string> seen;
  for (config::Entry& entry : config->executors) {
    const std::string name = Get(entry, "name");
    if (!IsName(name)) return Bad("executors", absl::StrCat("\"", name, "\" is no name for an executor"));
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return Bad("executors", absl::StrCat(name, " is there twice"));
    }
    seen.push_back(name);
    if (!Get(entry, "path").empty()) continue;
    if (std::find(std::begin(kShipped), std::end(kShipped), name) == std::end(kShipped)) {
      return Bad("executors", absl::StrCat(name, " has no path; name its shared object"));
    }
    entry["path"] = absl::StrCat(plugin_dir, "/", name, ".so");
  }
  return absl::OkStatus();
}

// A worker's name belongs to its key: the master takes no other from it.
absl::Status TakeNameOfCertificate(WorkerConfig* config) {
  if (config->tls.certificate.empty()) return absl::OkStatus();
  MUSTER_ASSIGN_OR_RETURN(const security::SpiffeId id, rpc::ReadIdentity(config->tls.certificate));
  if (config->name.empty()) config->name = id.name;
  if (config->name == id.name) return absl::OkStatus();
  return Bad("name", absl::StrCat(config->name, " is not what the certificate ", config->tls.certificate, " says: ", id.name,
                                  "; leave the key out, or have a certificate issued for this name"));
}

// What is not configured is what there is.
void CompleteCapacity(WorkerConfig* config) {
  WorkerConfig& c = *config;
  constexpr CapacityOrigin kConfigured = CapacityOrigin::kConfigured;
  c.origins = {kConfigured, kConfigured, kConfigured, kConfigured};
  const UsableCores usable = DetectCores();
  if (c.slots == 0) {
    c.slots = std::max<int64_t>(1, static_cast<int64_t>(usable.cores));
    c.origins.slots = usable.origin;
  }
  if (c.cpu == 0) {
    c.cpu = usable.cores;
    c.origins.cpu = usable.origin;
  }
  if (c.memory_bytes == 0) {
    const UsableMemory memory = DetectMemory();
    c.memory_bytes = memory.bytes;
    c.origins.memory = memory.origin;
  }
  if (c.disk_bytes == 0) {
    c.disk_bytes = std::max<int64_t>(0, FreeDiskBytes(c.work_dir) - c.disk_low_water_bytes);
    c.origins.disk = CapacityOrigin::kMachine;
  }
}

// Tiers are what the worker has tried out, not what somebody says of it.
absl::Status CheckNoTier(const std::string& key, const std::string& name) {
  if (TierOf(name).empty()) return absl::OkStatus();
  return Bad(key, absl::StrCat(name, " is found out by the worker and cannot be claimed; take it out"));
}

absl::Status CheckIsolation(const WorkerConfig& config) {
  for (const auto& [name, value] : config.labels) MUSTER_RETURN_IF_ERROR(CheckNoTier("labels", name));
  for (const std::string& name : config.capabilities) MUSTER_RETURN_IF_ERROR(CheckNoTier("capabilities", name));
  for (const std::string& path : config.isolation.hide) {
    if (path.empty() || path[0] != '/' || absl::StrContains(path, ":")) {
      return Bad("isolation.hide", absl::StrCat(path, " must be an absolute path without ':'"));
    }
  }
  if (!config.isolation.user.empty() && !config.isolation.users.empty()) {
    return Bad("isolation.users", "isolation.user is there, too; commands run as one user, or each as its own of a range");
  }
  return absl::OkStatus();
}

void AddIsolation(const WorkerConfig& config, execution::ExecutorConfig* executor) {
  const IsolationConfig& isolation = config.isolation;
  std::vector<std::string> hidden = isolation.hide;
  if (!config.tls.key.empty()) hidden.push_back(std::filesystem::absolute(config.tls.key).string());
  if (const std::string key = KeyOfAuthority(config); !key.empty()) hidden.push_back(key);
  const std::pair<const char*, std::string> settings[] = {
      {"isolation_minimum", isolation.minimum},
      {"user", isolation.user},
      {"users", isolation.users},
      {"max_processes", absl::StrCat(isolation.max_processes)},
      {"max_open_files", absl::StrCat(isolation.max_open_files)},
      {"max_file_bytes", absl::StrCat(isolation.max_file_bytes)},
      {"tmp_bytes", absl::StrCat(isolation.tmp_bytes)},
      {"memory_bytes", absl::StrCat(config.memory_bytes)},
      {"hidden", absl::StrJoin(hidden, ":")}};
  for (const auto& [key, value] : settings) executor->settings.emplace_back(key, value);
}

absl::Status CheckResources(const WorkerConfig& config) {
  for (const auto& [name, amount] : config.resources) {
    int64_t number = 0;
    if (!IsName(name) || !absl::SimpleAtoi(amount, &number) || number < 0) {
      return Bad("resources", absl::StrCat(name, "=", amount, " must be a name and a whole number"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void Declare(WorkerConfig* config, config::Schema* schema) {
  WorkerConfig& c = *config;
  schema->Text("name", &c.name, "", "The worker's name in the cluster. Default: what its certificate says, or the host's name.");
  schema->Text("master", &c.master, "127.0.0.1:7070", "host:port of the master.");
  schema->Text("grpc.listen", &c.grpc_listen, "127.0.0.1:7071",
               "Where the master opens its session. Loopback, unless grpc.tls is set. Port 0 takes a free one.");
  schema->Text("grpc.advertise", &c.grpc_advertise, "",
               "host:port that the master dials. Default: where the worker listens.");
  schema->Text("grpc.tls.certificate", &c.tls.certificate, "", "PEM file of this worker's certificate, which names it: spiffe://CLUSTER/worker/NAME (docs/security.md).");
  schema->Text("grpc.tls.key", &c.tls.key, "", "PEM file of its key.");
  schema->Text("grpc.tls.ca", &c.tls.ca, "", "PEM file of the cluster's authority: work is taken from its master alone.");
  schema->Text("http.listen", &c.http_listen, "127.0.0.1:7081",
               "Where /metrics, /healthz, /readyz and /drain are served, on loopback. Empty: nowhere.");
  schema->Text("health.listen", &c.health_listen, "",
               "The same, read-only, on any address, for probes from outside. Empty: nowhere.");
  schema->Number("slots", &c.slots, 0, "Attempts at once. 0: the cores that it may use.",
                 {.least = 0, .most = 65536});
  schema->Real("cpu", &c.cpu, 0, "Cores that tasks may ask for. 0: the cores that it may use.", {.least = 0, .most = 1e6});
  schema->Size("memory", &c.memory_bytes, 0, "Memory that tasks may ask for. 0: what the machine or cgroup has.",
               {.least = 0});
  schema->Size("disk", &c.disk_bytes, 0,
               "Disk that tasks may ask for, counted and not enforced. 0: what is free under work_dir at start, less disk.low_water.",
               {.least = 0});
  schema->Map("labels", &c.labels, "Labels that tasks may need: zone=a,disk=ssd.");
  schema->List("capabilities", &c.capabilities, "Words that tasks may need: gpu,licence.");
  schema->Map("resources", &c.resources, "Named amounts that tasks may ask for: gpu=2.");
  schema->Entries("executors", &c.executors, {"name", "path", "settings.*"},
                  "Executor plugins beside the shipped ones, or settings of those.");
  schema->Text("work_dir", &c.work_dir, "",
               "Directory for the tasks' working directories; its own, cleaned at start. "
               "Default: ~/.local/state/muster/worker/NAME.");
  schema->Text("policy.file", &c.policy_file, "",
               "What this worker may run, for whom (docs/policy.md), besides what the master lets through. Read at start. "
               "Empty: all that comes.");
  schema->Choice("isolation.minimum", &c.isolation.minimum, "plain", {"plain", "limited", "strict"},
                 "The tier that every command runs in at least, whatever its task asks for.");
  schema->Text("isolation.user", &c.isolation.user, "",
               "User (name or number) that commands run as, when the worker is root. Empty: as the worker.");
  schema->Text("isolation.users", &c.isolation.users, "",
               "FIRST-LAST: numbers of which each running command has one as a user of its own, when the worker is root.");
  schema->Number("isolation.max_processes", &c.isolation.max_processes, 4096,
                 "Processes and threads of a command from the tier limited on; below, of all commands of one user.",
                 {.least = 16, .most = 1'000'000});
  schema->Number("isolation.max_open_files", &c.isolation.max_open_files, 65536,
                 "Files that a process of a command may have open.", {.least = 64, .most = 1'000'000'000});
  schema->Size("isolation.max_file_size", &c.isolation.max_file_bytes, 0, "Size up to which it may write a file. 0: any.",
               {.least = 0});
  schema->Size("isolation.tmp_size", &c.isolation.tmp_bytes, int64_t{256} << 20,
               "Of a strict command's own /tmp, /var/tmp and /dev/shm, each; it counts as its memory.", {.least = 1 << 20});
  schema->List("isolation.hide", &c.isolation.hide,
               "Files and directories that strict commands do not see, beside the worker's key and work_dir: /srv/a,/srv/b.");
  schema->Time("drain_timeout", &c.drain_timeout, absl::Seconds(25),
               "How long running tasks may go on after SIGTERM or a drain.", {.least = 0});
  schema->Time("kill_grace", &c.kill_grace, absl::Seconds(5), "From SIGTERM to SIGKILL, unless the task says it.",
               {.least = 0});
  schema->Time("attach_grace", &c.attach_grace, absl::Seconds(60),
               "How long a lossless stream waits for a reader that has gone.", {.least = 0});
  schema->Size("disk.low_water", &c.disk_low_water_bytes, int64_t{256} << 20,
               "With less free disk under work_dir it takes nothing new.", {.least = 0});
  schema->Size("memory.low_water", &c.memory_low_water_bytes, int64_t{64} << 20,
               "With less free memory it takes nothing new.", {.least = 0});
  schema->Number("max_held", &c.max_held, 4096, "Attempts and unacknowledged results that it holds at most.",
                 {.least = 16, .most = 1'000'000});
  schema->Choice("log.level", &c.log.level, "info", {"trace", "debug", "info", "warning", "error"},
                 "What is logged. Lines about single tasks are debug.");
  schema->Choice("log.format", &c.log.format, "text", {"text", "json"}, "How a line looks.");
  schema->Text("log.file", &c.log.file, "", "A rotating file. Empty: stderr.");
  schema->Flag("log.stderr", &c.log.stderr_too, true, "With log.file: to stderr too.");
  schema->Size("log.file_size", &c.log.file_size_bytes, int64_t{64} << 20, "Size at which the file rotates.",
               {.least = 4096});
  schema->Number("log.file_count", &c.log.file_count, 5, "Rotated files that are kept.", {.least = 1, .most = 1000});
  schema->Number("log.queue", &c.log.queue_lines, 8192, "Lines that may wait; more are dropped and counted.",
                 {.least = 64, .most = 1'000'000});
  // What the start would refuse, --check-config refuses.
  schema->Check([&c] {
    WorkerConfig whole = c;
    return Complete(&whole, ShippedPluginDir());
  });
}

absl::Status Complete(WorkerConfig* config, const std::string& plugin_dir) {
  WorkerConfig& c = *config;
  c.log.program = "muster-worker";
  MUSTER_RETURN_IF_ERROR(TakeNameOfCertificate(config));
  if (c.name.empty()) c.name = NameOfHost();
  if (!IsName(c.name)) {
    return Bad("name", absl::StrCat("\"", c.name, "\" must be 1 to 128 letters, digits, '.', '_' or '-'"));
  }
  if (c.master.empty() || !absl::StrContains(c.master, ":")) return Bad("master", "must be host:port");
  if (c.work_dir.empty()) c.work_dir = absl::StrCat(StateDirectory(), "/muster/worker/", c.name);
  if (c.work_dir[0] != '/') return Bad("work_dir", absl::StrCat(c.work_dir, " must be an absolute path"));
  CompleteCapacity(config);
  if (!c.policy_file.empty()) {
    MUSTER_ASSIGN_OR_RETURN(policy::Policy policy, policy::Policy::ReadFile(c.policy_file));
    c.policy = std::make_shared<const policy::Policy>(std::move(policy));
  }
  if (!c.http_listen.empty() && !rpc::IsLoopback(c.http_listen)) {
    return Bad("http.listen", absl::StrCat(c.http_listen, " is not loopback; use health.listen for other addresses"));
  }
  if (!c.health_listen.empty() && !rpc::IsOneAddress(c.health_listen)) {
    return Bad("health.listen", absl::StrCat(c.health_listen, " is not one address, as 0.0.0.0:7083"));
  }
  if (!rpc::IsLoopback(c.grpc_listen) && c.tls.Empty()) {
    return Bad("grpc.listen", absl::StrCat(c.grpc_listen,
                                           " is not loopback: that needs TLS (grpc.tls.certificate, grpc.tls.key, grpc.tls.ca; "
                                           "`muster pki` makes the files)"));
  }
  MUSTER_RETURN_IF_ERROR(CheckResources(c));
  MUSTER_RETURN_IF_ERROR(CheckIsolation(c));
  return CompleteExecutors(config, plugin_dir);
}

std::string ShippedPluginDir() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  if (size <= 0) return "lib/muster";
  const std::string program(path, static_cast<size_t>(size));
  const std::string bin = program.substr(0, program.rfind('/'));
  return absl::StrCat(bin.substr(0, bin.rfind('/')), "/lib/muster");
}

WorkerOffer FixedOffer(const WorkerConfig& config) {
  WorkerOffer offer;
  offer.capacity.slots = static_cast<uint32_t>(config.slots);
  offer.capacity.cpu_millis = static_cast<int64_t>(config.cpu * 1000);
  offer.capacity.memory_bytes = config.memory_bytes;
  offer.capacity.disk_bytes = config.disk_bytes;
  offer.origins = config.origins;
  for (const auto& [name, amount] : config.resources) {
    int64_t number = 0;
    if (absl::SimpleAtoi(amount, &number)) offer.capacity.named.emplace_back(name, number);
  }
  offer.labels.assign(config.labels.begin(), config.labels.end());
  offer.capabilities = config.capabilities;
  offer.capabilities.emplace_back(kValidationCapability);
  return offer;
}

execution::HostConfig MakeHostConfig(const WorkerConfig& config) {
  execution::HostConfig host;
  host.worker_name = config.name;
  host.work_dir = config.work_dir;
  host.slots = static_cast<uint32_t>(config.slots);
  host.kill_grace = config.kill_grace;
  host.attach_grace = config.attach_grace;
  host.memory_limit_bytes = config.memory_bytes;
  host.commands_have_users = config.isolation.others();
  constexpr char kSettings[] = "settings.";
  for (const config::Entry& entry : config.executors) {
    execution::ExecutorConfig executor{.name = Get(entry, "name"), .path = Get(entry, "path")};
    for (const auto& [field, value] : entry) {
      if (absl::StartsWith(field, kSettings)) executor.settings.emplace_back(field.substr(sizeof(kSettings) - 1), value);
    }
    if (executor.name == kShipped[0]) AddIsolation(config, &executor);
    host.executors.push_back(std::move(executor));
  }
  return host;
}

std::string KeyOfAuthority(const WorkerConfig& config) {
  if (config.tls.ca.empty()) return "";
  const std::filesystem::path key = std::filesystem::absolute(config.tls.ca).parent_path() / "ca.key";
  std::error_code none;
  return std::filesystem::exists(key, none) ? key.string() : "";
}

std::string AdvertisedAddress(const WorkerConfig& config, const std::string& listening) {
  if (!config.grpc_advertise.empty()) return config.grpc_advertise;
  const size_t colon = listening.rfind(':');
  const std::string host = listening.substr(0, colon);
  const bool any = host == "0.0.0.0" || host == "[::]" || host == "::";
  return any ? absl::StrCat(HostName(), listening.substr(colon)) : listening;
}

}  // namespace muster::worker
