#include "cli/selectors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/errors.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr size_t kKeep = 200;
constexpr off_t kTrimBytes = 64 << 10;

}  // namespace

RecentTasks RecentTasks::Of(const std::string& master) {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::string folder;
  if (state != nullptr && *state != '\0') {
    folder = absl::StrCat(state, "/muster");
  } else if (home != nullptr && *home != '\0') {
    folder = absl::StrCat(home, "/.local/state/muster");
  }
  return RecentTasks(folder.empty() ? "" : folder + "/last", master);
}

void RecentTasks::Remember(const std::vector<std::string>& ids) {
  if (path_.empty() || ids.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  std::string lines;
  const size_t first = ids.size() > kKeep ? ids.size() - kKeep : 0;
  for (size_t i = first; i < ids.size(); ++i) absl::StrAppend(&lines, master_, "\t", ids[i], "\n");
  // Appending is one write: several clients at once do not tear each other's lines.
  const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  [[maybe_unused]] ssize_t written = write(fd, lines.data(), lines.size());
  struct stat info = {};
  const bool trim = fstat(fd, &info) == 0 && info.st_size > kTrimBytes;
  close(fd);
  if (!trim) return;
  std::vector<std::string> all = Load();
  const std::string fresh = absl::StrCat(path_, ".", getpid());
  std::ofstream out(fresh, std::ios::trunc);
  for (size_t i = all.size() > kKeep ? all.size() - kKeep : 0; i < all.size(); ++i) out << all[i] << '\n';
  out.close();
  if (out) std::filesystem::rename(fresh, path_, ignored);
}

RecentTasks RecentTasks::Snapshot() const {
  RecentTasks now = *this;
  now.snapshot_ = Load();
  return now;
}

std::vector<std::string> RecentTasks::Load() const {
  if (snapshot_.has_value()) return *snapshot_;
  std::vector<std::string> lines;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

absl::StatusOr<std::string> RecentTasks::Find(size_t back) const {
  const std::vector<std::string> lines = Load();
  size_t seen = 0;
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const std::vector<std::string> parts = absl::StrSplit(*line, '\t');
    if (parts.size() != 2 || parts[0] != master_ || parts[1].empty()) continue;
    if (seen++ == back) return parts[1];
  }
  return absl::NotFoundError(absl::StrCat(
      "no 'last", back == 0 ? "" : absl::StrCat("-", back), "': ", seen == 0 ? "nothing was" : absl::StrCat("only ", seen, " were"),
      " submitted to ", master_, " from here; `muster ps -a` lists tasks"));
}

absl::StatusOr<std::string> RecentTasks::ResolveOne(const std::string& word) const {
  // A task of a batch may be named through it: last/17.
  const size_t slash = word.find('/');
  const std::string head = word.substr(0, slash);
  const std::string tail = slash == std::string::npos ? "" : word.substr(slash);
  uint32_t back = 0;
  if (head == "last" || (absl::StartsWith(head, "last-") && absl::SimpleAtoi(head.substr(5), &back))) {
    MUSTER_ASSIGN_OR_RETURN(const std::string id, Find(back));
    return id + tail;
  }
  if (word.empty()) return UsageError("an empty selector; give an id, a batch, a name or last");
  return word;
}

absl::StatusOr<std::vector<std::string>> RecentTasks::Resolve(const std::vector<std::string>& words) const {
  std::vector<std::string> resolved;
  for (const std::string& list : words) {
    for (const std::string& word : std::vector<std::string>(absl::StrSplit(list, ','))) {
      MUSTER_ASSIGN_OR_RETURN(std::string selector, ResolveOne(word));
      if (std::find(resolved.begin(), resolved.end(), selector) == resolved.end()) resolved.push_back(std::move(selector));
    }
  }
  return resolved;
}

}  // namespace muster::cli
