#include "worker/app/load_probe.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/app/machine.h"

namespace muster::worker {
namespace {

std::string InMebibytes(int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

std::string Shortage(const char* what, const std::string& where, int64_t free, int64_t low_water) {
  if (free >= low_water) return "";
  return absl::StrCat(what, where, " is ", InMebibytes(free), ", below ", InMebibytes(low_water),
                      ": takes nothing new");
}

}  // namespace

LoadProbe::LoadProbe(Marks marks, const execution::ExecutionHost* host)
    : marks_(std::move(marks)), host_(host), kill_tier_(host->KillTier()), isolation_(host->Isolation()) {}

LoadProbe::Reading LoadProbe::Look(const WorkerCoreView& view) const {
  Reading reading;
  WorkerLoad& load = reading.load;
  load.load_average = LoadAverage();
  load.free_memory_bytes = host_->FreeMemoryBytes();
  load.free_disk_bytes = host_->FreeDiskBytes();
  load.running = view.running;
  load.kill_tier = kill_tier_;
  load.isolation = isolation_;
  reading.shortage =
      Shortage("free disk under ", marks_.work_dir, load.free_disk_bytes, marks_.disk_low_water_bytes);
  if (reading.shortage.empty()) {
    reading.shortage = Shortage("free memory", "", load.free_memory_bytes, marks_.memory_low_water_bytes);
  }
  load.refuses_because = view.draining ? view.refuses_because : reading.shortage;
  return reading;
}

}  // namespace muster::worker
