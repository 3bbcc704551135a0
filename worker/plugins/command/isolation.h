// The tiers in which commands can run here: what is asked of them by the configuration, and what this machine lets us
// have, which is tried out once, at the start. docs/isolation.md says what each tier holds and what it does not.
//
//   plain    rlimits, no new privileges, nothing left behind
//   limited  and cgroups that bound processes, memory and cpu, by which all is killed
//   strict   and the namespaces and the filter of muster-isolate (worker/plugins/isolate)
// Thread rule: ProbeIsolation on one thread, at start; the rest are values. Errors: a bad setting throws
// std::invalid_argument, naming it.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "worker/plugin_api/executor.h"
#include "worker/plugins/command/bounds.h"
#include "worker/plugins/command/child.h"
#include "worker/plugins/command/memory_limit.h"
#include "worker/plugins/command/process_tree.h"
#include "worker/plugins/command/users.h"

namespace muster::command {

const char* IsolationName(plugin::Isolation tier);  // "strict"

struct IsolationSettings {
  plugin::Isolation least = plugin::Isolation::kPlain;  // of every command
  int64_t max_processes = 0;
  int64_t max_open_files = 0;
  int64_t max_file_bytes = 0;  // 0: any size
  int64_t tmp_bytes = 0;
  int64_t memory_bytes = 0;  // of one that asks for none, with a cgroup; 0: no bound
  std::vector<std::string> hidden;
  std::string work_dir;
  std::string program;  // muster-isolate; empty: it does not lie beside this library

  // Those that every child gets; the number of processes only one whose user is other commands' alone, and where no
  // cgroup counts them.
  std::vector<ChildLimit> limits(bool own_user) const;
};
IsolationSettings ReadIsolationSettings(const plugin::Options& options);

// What can be had, and why no more.
struct IsolationOffer {
  plugin::Isolation best = plugin::Isolation::kPlain;
  std::string why_not_more;

  std::vector<std::string> capabilities() const;  // "isolation.limited"
  std::string words() const;                      // "plain, limited; not strict: making namespaces: ..."
};

struct IsolationParts {
  ProcessForest* forest = nullptr;
  MemoryLimits* memory = nullptr;
  BoundsTable* bounds = nullptr;
  const Users* users = nullptr;
  int null_fd = -1;
};
IsolationOffer ProbeIsolation(const IsolationSettings& settings, const IsolationParts& parts);

}  // namespace muster::command
