#include "worker/plugins/command/isolation.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "worker/plugins/command/isolated_start.h"

namespace muster::command {
namespace {

using plugin::Isolation;

constexpr char kIsolateProgram[] = "muster-isolate";
constexpr int64_t kDefaultProcesses = 4096;
constexpr int64_t kDefaultOpenFiles = 65536;
constexpr int64_t kDefaultTmpBytes = int64_t{256} << 20;
constexpr int64_t kProbedMemoryBytes = int64_t{64} << 20;
constexpr int64_t kProbedProcesses = 16;
constexpr int64_t kProbedCpuMillis = 1000;

std::string Configured(const plugin::Options& options, const char* key) {
  const auto found = options.settings.find(key);
  return found == options.settings.end() ? "" : found->second;
}

int64_t Amount(const plugin::Options& options, const char* key, int64_t otherwise) {
  const std::string text = Configured(options, key);
  if (text.empty()) return otherwise;
  if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos) {
    throw std::invalid_argument(std::string(key) + ": \"" + text + "\" is not a whole number from 0 on");
  }
  return strtoll(text.c_str(), nullptr, 10);
}

Isolation ReadTier(const std::string& text) {
  for (const Isolation tier : {Isolation::kPlain, Isolation::kLimited, Isolation::kStrict}) {
    if (text.empty() || text == IsolationName(tier)) return tier;
  }
  throw std::invalid_argument("isolation.minimum: \"" + text + "\" is none of plain, limited, strict");
}

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find(':', at), list.size());
    if (end > at) parts.push_back(list.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// Beside the shared object that this code is in.
std::string FindProgram() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&ReadIsolationSettings), &info) == 0 || info.dli_fname == nullptr) return "";
  const std::string library = info.dli_fname;
  const size_t slash = library.rfind('/');
  const std::string program = slash == std::string::npos ? kIsolateProgram : library.substr(0, slash + 1) + kIsolateProgram;
  return access(program.c_str(), X_OK) == 0 ? program : "";
}

// Only a limit that changes something costs a system call in each child.
void AddLimit(int resource, int64_t most, std::vector<ChildLimit>* limits) {
  rlimit now{};
  if (most <= 0 || getrlimit(static_cast<__rlimit_resource_t>(resource), &now) < 0) return;
  const auto bound = static_cast<rlim_t>(most);
  if (now.rlim_max <= bound) return;
  limits->push_back({resource, {std::min(now.rlim_cur, bound), bound}});
}

std::string WhyNotLimited(const IsolationParts& parts) {
  std::unique_ptr<ProcessTree> tree = parts.forest->Take();
  if (tree == nullptr) return "no cgroup can be made";
  std::string why;
  if (tree->BirthCgroupFd() < 0 && tree->JoinFd() < 0) why = "no cgroup can be written that all is killed by";
  std::unique_ptr<MemoryLimit> memory = parts.memory->Take(tree->BirthCgroupFd(), kProbedMemoryBytes);
  std::unique_ptr<Bounds> bounds = parts.bounds->Take(tree->BirthCgroupFd(), kProbedProcesses, kProbedCpuMillis);
  if (why.empty() && memory == nullptr) why = "no cgroup's memory controller can be written";
  if (why.empty() && bounds == nullptr) why = "no cgroup's pids and cpu controllers can be written";
  parts.bounds->GiveBack(std::move(bounds));
  parts.memory->GiveBack(std::move(memory));
  parts.forest->GiveBack(std::move(tree));
  return why;
}

// Runs a shell that does nothing, all the way.
std::string TryStrict(const IsolationSettings& settings, const IsolationParts& parts, const std::string& task_directory) {
  isolate::Plan plan;
  plan.arguments = {"sh", "-c", ":"};
  plan.candidates = {"/bin/sh"};
  plan.directory = task_directory;
  plan.task_directory = task_directory;
  plan.work_dir = settings.work_dir;
  plan.hidden = settings.hidden;
  plan.tmp_bytes = settings.tmp_bytes;
  plan.no_network = true;
  plan.user_namespace = geteuid() != 0;
  if (!plan.user_namespace) plan.uid = plan.gid = Users::kNobody;
  if (!plan.user_namespace && chown(task_directory.c_str(), Users::kNobody, Users::kNobody) < 0) return strerror(errno);
  ChildPlan child_plan;
  child_plan.stdin_fd = child_plan.stdout_fd = child_plan.stderr_fd = parts.null_fd;
  ChildStack stack;
  std::string problem;
  ChildOutcome child = StartIsolated(settings.program, plan, child_plan, stack, &problem);
  if (child.error != 0) return problem.empty() ? strerror(child.error) : problem;
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  close(child.pidfd);
  return status == 0 ? "" : "a shell in namespaces of its own ends with status " + std::to_string(status);
}

std::string WhyNotStrict(const IsolationSettings& settings, const IsolationParts& parts) {
  if (settings.program.empty()) return std::string(kIsolateProgram) + " does not lie beside the executor";
  std::string directory = (settings.work_dir.empty() ? "/tmp" : settings.work_dir) + "/probe-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return directory + ": " + strerror(errno);
  std::string why;
  std::thread prober([&] {
    BlockEverySignal();
    why = TryStrict(settings, parts, directory);
  });
  prober.join();
  rmdir(directory.c_str());
  return why;
}

}  // namespace

const char* IsolationName(Isolation tier) {
  switch (tier) {
    case Isolation::kPlain: return "plain";
    case Isolation::kLimited: return "limited";
    case Isolation::kStrict: return "strict";
  }
  return "?";
}

std::vector<ChildLimit> IsolationSettings::limits(bool own_user) const {
  std::vector<ChildLimit> limits;
  AddLimit(RLIMIT_NOFILE, max_open_files, &limits);
  AddLimit(RLIMIT_FSIZE, max_file_bytes, &limits);
  if (own_user) AddLimit(RLIMIT_NPROC, max_processes, &limits);
  return limits;
}

IsolationSettings ReadIsolationSettings(const plugin::Options& options) {
  IsolationSettings settings;
  settings.least = ReadTier(Configured(options, "isolation_minimum"));
  settings.max_processes = Amount(options, "max_processes", kDefaultProcesses);
  settings.max_open_files = Amount(options, "max_open_files", kDefaultOpenFiles);
  settings.max_file_bytes = Amount(options, "max_file_bytes", 0);
  settings.tmp_bytes = Amount(options, "tmp_bytes", kDefaultTmpBytes);
  settings.memory_bytes = Amount(options, "memory_bytes", 0);
  settings.hidden = Split(Configured(options, "hidden"));
  settings.work_dir = options.work_dir;
  settings.program = FindProgram();
  return settings;
}

std::vector<std::string> IsolationOffer::capabilities() const {
  std::vector<std::string> names;
  if (best >= Isolation::kLimited) names.emplace_back("isolation.limited");
  if (best >= Isolation::kStrict) names.emplace_back("isolation.strict");
  return names;
}

std::string IsolationOffer::words() const {
  std::string words = "plain";
  if (best >= Isolation::kLimited) words += ", limited";
  if (best >= Isolation::kStrict) return words + ", strict";
  const Isolation next = best == Isolation::kPlain ? Isolation::kLimited : Isolation::kStrict;
  return words + "; not " + IsolationName(next) + ": " + why_not_more;
}

IsolationOffer ProbeIsolation(const IsolationSettings& settings, const IsolationParts& parts) {
  IsolationOffer offer;
  offer.why_not_more = WhyNotLimited(parts);
  if (!offer.why_not_more.empty()) return offer;
  offer.best = Isolation::kLimited;
  offer.why_not_more = WhyNotStrict(settings, parts);
  if (offer.why_not_more.empty()) offer.best = Isolation::kStrict;
  return offer;
}

}  // namespace muster::command
