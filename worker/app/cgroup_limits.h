// What the cgroups that this process is in leave of the machine: quota of cores, limit of memory. Version 2, version 1,
// and both beside each other. A limit anywhere above counts, so each is the smallest on the way up.
//
// Thread rule: pure but for the files that it reads, under ROOT/proc and ROOT/sys/fs/cgroup. What cannot be read limits
// nothing.
#pragma once

#include <cstdint>
#include <string>

namespace muster::worker {

struct CgroupLimits {
  double cores = 0;          // 0: no limit
  int64_t memory_bytes = 0;  // 0: no limit
};

// `root`: stands before every path; empty but in tests.
CgroupLimits ReadCgroupLimits(const std::string& root);

}  // namespace muster::worker
