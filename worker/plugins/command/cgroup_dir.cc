#include "worker/plugins/command/cgroup_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace muster::command {
namespace {

constexpr char kPrefix[] = "muster-";
constexpr char kLeaf[] = "worker";  // not of that prefix, whose cgroups a start empties
constexpr const char* kControllers[] = {"cpu", "memory", "pids"};
constexpr int kClearRounds = 500;

struct Mount {
  std::string point, root;
};

bool HasWord(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string one; std::getline(words, one, ',');) {
    if (one == word) return true;
  }
  return false;
}

// A line of mountinfo: id parent dev root point options ... - type source super_options
bool ParseMount(const std::string& line, const std::string& controller, Mount* mount) {
  const size_t dash = line.find(" - ");
  if (dash == std::string::npos) return false;
  std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
  std::string skip, type, source, options;
  before >> skip >> skip >> skip >> mount->root >> mount->point;
  after >> type >> source >> options;
  if (controller.empty()) return type == "cgroup2";
  return type == "cgroup" && HasWord(options, controller);
}

// A line of /proc/self/cgroup: id:controllers:path; version 2 has id 0 and no controllers.
std::string OwnPath(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool match = controller.empty() ? (controllers.empty() && line[0] == '0') : HasWord(controllers, controller);
    if (match) return line.substr(second + 1);
  }
  return "";
}

std::string ReadFileOf(const std::string& directory, const char* name) {
  const Descriptor file(open((directory + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
  return file.valid() ? ReadSmallFile(file.get()) : "";
}

bool NamesAllControllers(const std::string& list) {
  const auto named = [&list](const char* controller) {
    std::istringstream words(list);
    for (std::string word; words >> word;) {
      if (word == controller) return true;
    }
    return false;
  };
  return std::all_of(std::begin(kControllers), std::end(kControllers), named);
}

bool MoveAll(const std::vector<pid_t>& pids, const std::string& cgroup) {
  const Descriptor directory(open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto move = [&directory](pid_t pid) {
    return WriteSmallFile(directory.get(), "cgroup.procs", std::to_string(pid).c_str());
  };
  return directory.valid() && std::all_of(pids.begin(), pids.end(), move);
}

std::string ProgramOf(pid_t pid) {
  char program[4096];
  const ssize_t size = readlink(("/proc/" + std::to_string(pid) + "/exe").c_str(), program, sizeof(program));
  return size <= 0 ? "" : std::string(program, static_cast<size_t>(size));
}

void Pause() {
  timespec a_moment{0, 2'000'000};
  nanosleep(&a_moment, nullptr);
}

std::vector<std::string> Subdirectories(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (dirent* entry = readdir(directory)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(directory);
  return names;
}

void ClearPredecessors(const std::string& parent) {
  for (const std::string& name : Subdirectories(parent)) {
    if (name.rfind(kPrefix, 0) != 0) continue;
    const std::string path = parent + "/" + name;
    Descriptor lock(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (lock.valid() && flock(lock.get(), LOCK_EX | LOCK_NB) == 0) ClearCgroup(path);
  }
}

}  // namespace

std::string OwnCgroupDirectory(const std::string& controller) {
  std::ifstream file("/proc/self/mountinfo");
  std::string own = OwnPath(controller);
  for (std::string line; std::getline(file, line);) {
    Mount mount;
    if (!ParseMount(line, controller, &mount)) continue;
    // In a container without a namespace of its own, only a part of the hierarchy is mounted.
    if (mount.root != "/" && own.rfind(mount.root, 0) == 0) own = own.substr(mount.root.size());
    if (own.rfind("/..", 0) == 0) own.clear();
    const std::string path = own == "/" ? mount.point : mount.point + own;
    if (access(path.c_str(), F_OK) == 0) return path;
    return mount.point;
  }
  return "";
}

std::vector<pid_t> OwnProcesses() {
  const std::string program = ProgramOf(getpid());
  if (program.empty() || ProgramOf(getppid()) != program) return {getpid()};
  return {getpid(), getppid()};
}

std::string HandOnControllers(const std::string& own, const std::vector<pid_t>& ours) {
  const std::string leaf_ending = std::string("/") + kLeaf;
  if (own.size() > leaf_ending.size() && own.ends_with(leaf_ending)) {
    const std::string above = own.substr(0, own.size() - leaf_ending.size());
    if (NamesAllControllers(ReadFileOf(above, "cgroup.subtree_control"))) return above;
  }
  if (!NamesAllControllers(ReadFileOf(own, "cgroup.controllers"))) return own;
  if (NamesAllControllers(ReadFileOf(own, "cgroup.subtree_control"))) return own;
  const Descriptor directory(open(own.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor procs(openat(directory.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC));
  const std::vector<pid_t> pids = ReadPids(procs.get());
  const auto is_ours = [&ours](pid_t pid) { return std::find(ours.begin(), ours.end(), pid) != ours.end(); };
  if (!std::all_of(pids.begin(), pids.end(), is_ours)) return own;
  const std::string leaf = own + leaf_ending;
  if (mkdir(leaf.c_str(), 0755) < 0 && errno != EEXIST) return own;
  if (MoveAll(pids, leaf) && WriteSmallFile(directory.get(), "cgroup.subtree_control", "+cpu +memory +pids")) return own;
  MoveAll(pids, own);
  rmdir(leaf.c_str());
  return own;
}

bool CgroupRoot::Make(const std::string& parent, std::string* error) {
  static std::atomic<int> counter{0};
  // One process at a time, so that nobody clears what another has made and not locked yet.
  Descriptor turn(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (turn.valid()) flock(turn.get(), LOCK_EX);
  ClearPredecessors(parent);
  path_ = parent + "/" + kPrefix + std::to_string(getpid()) + "-" + std::to_string(counter++);
  if (mkdir(path_.c_str(), 0755) < 0) {
    *error = path_ + ": " + strerror(errno);
    path_.clear();
    return false;
  }
  lock_ = Descriptor(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_.valid() || flock(lock_.get(), LOCK_EX | LOCK_NB) < 0) {
    *error = path_ + ": cannot be locked: " + strerror(errno);
    return false;
  }
  return true;
}

CgroupRoot::~CgroupRoot() {
  if (!path_.empty()) ClearCgroup(path_);
}

bool WriteSmallFile(int directory, const char* name, const char* text) {
  Descriptor file(openat(directory, name, O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return false;
  const auto size = static_cast<ssize_t>(strlen(text));
  return write(file.get(), text, static_cast<size_t>(size)) == size;
}

std::string ReadSmallFile(int fd) {
  std::string text(4096, '\0');
  size_t size = 0;
  while (size < 64 * 1024) {
    const ssize_t got = pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (got <= 0) break;
    size += static_cast<size_t>(got);
    if (size == text.size()) text.resize(text.size() * 2);
  }
  text.resize(size);
  return text;
}

std::vector<pid_t> ReadPids(int procs_fd) {
  std::vector<pid_t> pids;
  std::istringstream lines(ReadSmallFile(procs_fd));
  for (pid_t pid; lines >> pid;) {
    if (pid > 1) pids.push_back(pid);
  }
  return pids;
}

bool ClearCgroup(const std::string& path) {
  for (const std::string& child : Subdirectories(path)) ClearCgroup(path + "/" + child);
  Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int round = 0; round < kClearRounds; ++round) {
    if (rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
    if (errno != EBUSY || !directory.valid()) return false;
    WriteSmallFile(directory.get(), "freezer.state", "THAWED");
    if (!WriteSmallFile(directory.get(), "cgroup.kill", "1")) {
      Descriptor procs(openat(directory.get(), "cgroup.procs", O_RDONLY | O_CLOEXEC));
      for (const pid_t pid : ReadPids(procs.get())) {
        if (pid != getpid()) kill(pid, SIGKILL);
      }
    }
    Pause();
  }
  return false;
}

}  // namespace muster::command
