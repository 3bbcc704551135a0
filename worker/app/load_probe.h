// How loaded this worker is, and whether it should take new work: free disk and memory against their low-water marks.
//
// Thread rule: Look from one thread; the rest from any. Ownership: the host must outlive it.
#pragma once

#include <string>

#include "common/domain/worker.h"
#include "worker/core/worker_core.h"
#include "worker/execution/execution_host.h"

namespace muster::worker {

class LoadProbe {
 public:
  struct Marks {
    std::string work_dir;
    int64_t disk_low_water_bytes = 0;
    int64_t memory_low_water_bytes = 0;
  };
  LoadProbe(Marks marks, const execution::ExecutionHost* host);

  struct Reading {
    WorkerLoad load;       // refuses_because: the core's reason, else `shortage`
    std::string shortage;  // empty: there is enough
  };
  Reading Look(const WorkerCoreView& view) const;

 private:
  const Marks marks_;
  const execution::ExecutionHost* const host_;
  const std::string kill_tier_, isolation_;
};

}  // namespace muster::worker
