// What a person types to name tasks: ids and names go to the master as they are; `last` and `last-N` are looked up
// here, in $XDG_STATE_HOME/muster/last, which remembers what this user submitted from this machine, per master.
//
// The file holds one line per id, oldest first: MASTER TAB ID. Thread rule: the main thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace muster::cli {

class RecentTasks {
 public:
  RecentTasks(std::string path, std::string master) : path_(std::move(path)), master_(std::move(master)) {}
  // At the usual place.
  static RecentTasks Of(const std::string& master);

  // Never fails loudly: a read-only home must not stop a submit.
  void Remember(const std::vector<std::string>& ids);
  // 0 is the newest. NOT_FOUND.
  absl::StatusOr<std::string> Find(size_t back) const;
  // As it is now: what is remembered later is not seen.
  RecentTasks Snapshot() const;
  // Splits at commas, replaces last and last-N, drops repetitions.
  absl::StatusOr<std::vector<std::string>> Resolve(const std::vector<std::string>& words) const;
  absl::StatusOr<std::string> ResolveOne(const std::string& word) const;

 private:
  std::vector<std::string> Load() const;  // whole lines

  std::string path_;
  std::string master_;
  std::optional<std::vector<std::string>> snapshot_;
};

}  // namespace muster::cli
