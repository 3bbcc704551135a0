#include "worker/plugins/command/users.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

namespace muster::command {
namespace {

constexpr unsigned long kMostUid = 4294967293UL;
constexpr unsigned long kMostUsers = 65536;

bool ParseUid(const std::string& text, unsigned long* uid) {
  if (text.empty() || text.size() > 10 || text.find_first_not_of("0123456789") != std::string::npos) return false;
  *uid = strtoul(text.c_str(), nullptr, 10);
  return *uid <= kMostUid;
}

User FindUser(const std::string& text) {
  unsigned long uid = 0;
  const bool is_number = ParseUid(text, &uid);
  const passwd* const entry = is_number ? getpwuid(static_cast<uid_t>(uid)) : getpwnam(text.c_str());
  if (entry != nullptr) return {entry->pw_uid, entry->pw_gid, entry->pw_dir};
  if (!is_number) throw std::invalid_argument("isolation.user: this machine knows no user " + text);
  return {static_cast<uid_t>(uid), static_cast<gid_t>(uid), ""};
}

}  // namespace

Users::Users(const std::string& user, const std::string& range) : name_(user) {
  if (user.empty() && range.empty()) return;
  if (!user.empty() && !range.empty()) {
    throw std::invalid_argument("isolation.user and isolation.users: give one of them");
  }
  const char* const key = user.empty() ? "isolation.users" : "isolation.user";
  if (geteuid() != 0) throw std::invalid_argument(std::string(key) + ": only a worker that runs as root can run commands as others");
  if (!user.empty()) {
    one_ = FindUser(user);
    if (one_->uid == 0) throw std::invalid_argument("isolation.user: root is what it keeps commands from being");
    return;
  }
  const size_t dash = range.find('-');
  unsigned long first = 0, last = 0;
  const bool parsed = dash != std::string::npos && ParseUid(range.substr(0, dash), &first) && ParseUid(range.substr(dash + 1), &last);
  if (!parsed || first == 0 || last < first || last - first >= kMostUsers) {
    throw std::invalid_argument("isolation.users: \"" + range + "\" is no range FIRST-LAST of 1 to 65536 numbers above 0");
  }
  first_ = static_cast<uid_t>(first);
  last_ = static_cast<uid_t>(last);
  taken_.resize(last - first + 1);
}

void Users::CheckWay(const std::string& work_dir) const {
  if (!configured()) return;
  for (size_t at = 1; at <= work_dir.size(); ++at) {
    if (at != work_dir.size() && work_dir[at] != '/') continue;
    const std::string above = work_dir.substr(0, at);
    struct stat state {};
    if (stat(above.c_str(), &state) == 0 && (state.st_mode & S_IXOTH) != 0) continue;
    throw std::invalid_argument("work_dir " + work_dir + ": other users cannot pass through " + above +
                                ", and isolation.user or isolation.users makes commands run as others; chmod o+x it, or "
                                "set another work_dir");
  }
}

std::string Users::words() const {
  if (one_) return "user " + name_ + " (" + std::to_string(one_->uid) + ")";
  if (last_ > 0) return "a user of their own of " + std::to_string(first_) + "-" + std::to_string(last_);
  return geteuid() == 0 ? "root" : "the worker's user";
}

std::optional<User> Users::Take(const std::string& task_directory) {
  if (one_) return one_;
  struct stat state {};
  const bool has_owner = !task_directory.empty() && stat(task_directory.c_str(), &state) == 0 && InRange(state.st_uid);
  std::lock_guard<std::mutex> lock(mutex_);
  for (size_t i = 0; i < taken_.size(); ++i) {
    const size_t at = has_owner ? state.st_uid - first_ : (next_ + i) % taken_.size();
    if (taken_[at]) continue;
    taken_[at] = true;
    next_ = (at + 1) % taken_.size();
    const auto uid = static_cast<uid_t>(first_ + at);
    return User{uid, static_cast<gid_t>(uid), ""};
  }
  return std::nullopt;
}

void Users::GiveBack(const User& user) {
  if (!InRange(user.uid)) return;
  std::lock_guard<std::mutex> lock(mutex_);
  taken_[user.uid - first_] = false;
}

}  // namespace muster::command
