// Finding our place in the cgroup hierarchies, and small files there.
//
// Everything is made below the cgroup that this process is in (so that limits set on the worker go on to hold), in
// one directory per process that is locked while it lives: a directory that nobody has locked is a dead
// predecessor's, and is emptied by force and removed.
// Thread rule: any thread. Errors: false, -1 or empty; the caller falls to another tier.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "worker/plugins/command/descriptor.h"

namespace muster::command {

// The directory of this process in the hierarchy of `controller` (version 1), or of version 2 when that is empty.
// Empty: not mounted.
std::string OwnCgroupDirectory(const std::string& controller);

// Readies a cgroup of version 2 to hand its controllers on: one that does so holds no processes itself, so `ours`, the only
// ones there, move into a leaf below. Gives the directory below which cgroups are to be made: `own`, or, from within that
// leaf, the one above. What is not ours to change (other processes, no right to) stays as it was.
std::string HandOnControllers(const std::string& own, const std::vector<pid_t>& ours);
// This process, and its supervisor where it has one.
std::vector<pid_t> OwnProcesses();

// Makes and locks a directory for this process's cgroups below `parent`, after clearing what dead predecessors left.
class CgroupRoot {
 public:
  ~CgroupRoot();
  bool Make(const std::string& parent, std::string* error);
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Descriptor lock_;
};

bool WriteSmallFile(int directory, const char* name, const char* text);
std::string ReadSmallFile(int fd);  // from its start; at most 64 KiB
std::vector<pid_t> ReadPids(int procs_fd);  // of version 1: a file that was just opened
// Kills what is in it and in its children, then removes them.
bool ClearCgroup(const std::string& path);

}  // namespace muster::command
