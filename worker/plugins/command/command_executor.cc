#include "worker/plugins/command/command_executor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace muster::command {
namespace {

constexpr size_t kReadBufferBytes = 64 * 1024;
constexpr unsigned kMaxSpawners = 16;

class Handle final : public plugin::Execution {
 public:
  explicit Handle(std::shared_ptr<CommandRun> run) : run_(std::move(run)) {}
  void Stop() override { run_->Stop(); }
  void Kill() override { run_->Kill(); }
  void OutputRoom(plugin::Stream stream) override { run_->Room(stream); }

 private:
  const std::shared_ptr<CommandRun> run_;
};

std::string Setting(const plugin::Options& options, const char* key, const std::string& otherwise) {
  const auto found = options.settings.find(key);
  return found == options.settings.end() ? otherwise : found->second;
}

unsigned NumberSetting(const plugin::Options& options, const char* key, unsigned otherwise, unsigned most) {
  const std::string text = Setting(options, key, "");
  if (text.empty()) return otherwise;
  char* end = nullptr;
  const unsigned long number = strtoul(text.c_str(), &end, 10);
  if (*end != '\0' || text[0] == '-' || number > most) {
    throw std::invalid_argument(std::string(key) + ": \"" + text + "\" is not a number from 0 to " +
                                std::to_string(most));
  }
  return static_cast<unsigned>(number);
}

// A daemon may have been started without 0, 1, 2; the child's are placed there.
int OpenNull() {
  int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd < 3) fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  return fd;
}

// An ignored SIGCHLD would have the kernel throw exit codes away.
void KeepExitCodes() {
  struct sigaction now{};
  if (sigaction(SIGCHLD, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
}

}  // namespace

CommandExecutor::CommandExecutor(const plugin::Options& options) : null_(OpenNull()) {
  if (!null_.valid()) throw std::runtime_error(std::string("/dev/null: ") + strerror(errno));
  if (!loop_.ok()) throw std::runtime_error("no event loop can be made");
  KeepExitCodes();
  std::string error;
  const std::string tier = Setting(options, "kill_tier", "auto");
  forest_ = MakeProcessForest(tier, &error);
  if (forest_ == nullptr) throw std::invalid_argument("kill_tier " + tier + ": " + error);
  users_ = std::make_unique<Users>(Setting(options, "user", ""), Setting(options, "users", ""));
  users_->CheckWay(options.work_dir);
  services_.isolation = ReadIsolationSettings(options);
  offer_ = ProbeIsolation(services_.isolation, {forest_.get(), &memory_, &bounds_, users_.get(), null_.get()});
  if (offer_.best < services_.isolation.least) {
    throw std::invalid_argument(std::string("isolation.minimum ") + IsolationName(services_.isolation.least) +
                                " cannot be had here: it has " + offer_.words());
  }
  services_.limits = services_.isolation.limits(false);
  services_.limits_of_users = services_.isolation.limits(true);
  services_.best_isolation = offer_.best;
  services_.bounds = &bounds_;
  services_.users = users_.get();
  const char* home = getenv("HOME");
  services_.loop = &loop_;
  services_.forest = forest_.get();
  services_.memory = &memory_;
  services_.null_fd = null_.get();
  services_.environment.path = Setting(options, "path", services_.environment.path);
  services_.environment.home = Setting(options, "home", home == nullptr ? "/" : home);
  services_.environment.lang = Setting(options, "lang", services_.environment.lang);
  services_.drain = std::chrono::milliseconds(NumberSetting(options, "drain_ms", 2000, 60'000));
  services_.read_buffer = std::make_unique<char[]>(kReadBufferBytes);
  const unsigned cores = std::clamp(std::thread::hardware_concurrency(), 2U, kMaxSpawners);
  spawners_ = std::make_unique<Spawners>(std::max(1U, NumberSetting(options, "spawners", cores, 64)));
}

CommandExecutor::~CommandExecutor() = default;

std::unique_ptr<plugin::Execution> CommandExecutor::Execute(const plugin::Request& request,
                                                            plugin::Context* context) {
  auto run = std::make_shared<CommandRun>(&services_, request, context);
  auto handle = std::make_unique<Handle>(run);
  spawners_->Add(std::move(run));
  return handle;
}

plugin::Capabilities CommandExecutor::GetCapabilities() {
  plugin::Capabilities capabilities;
  capabilities.names = {"command"};
  for (std::string& tier : offer_.capabilities()) capabilities.names.push_back(std::move(tier));
  capabilities.note = std::string("kill: ") + forest_->tier();
  capabilities.isolation = offer_.words() + "; commands run as " + users_->words();
  return capabilities;
}

plugin::Health CommandExecutor::CheckHealth() { return {}; }

}  // namespace muster::command
