// The loaded executors, and what each of them offers now.
//
// Refresh asks every plugin for its health and capabilities; a plugin that does not answer is found by its age.
// Thread rule: any thread; Refresh from one. Ownership: owns the plugins. Errors: Load's name the executor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/worker.h"
#include "worker/execution/plugin_library.h"
#include "worker/execution/plugin_metrics.h"

namespace muster::execution {

class ExecutorTable {
 public:
  struct Loaded {
    std::unique_ptr<PluginLibrary> library;
    std::unique_ptr<PluginMetrics> metrics;
    bool wants_directory = true;  // never changes after Load
  };

  absl::Status Load(const HostConfig& config);
  Loaded* Find(const std::string& name);
  std::vector<ExecutorOffer> Offers() const;
  std::string KillTier() const;
  std::string Isolation() const;
  // True: something changed.
  bool Refresh();
  // For a plugin whose health check has been running for too long. True: something changed.
  bool MarkSilent(absl::Duration limit);
  void AbandonAll();

 private:
  struct Row {
    Loaded loaded;
    ExecutorOffer offer;
    std::string note, isolation;
    absl::Time asked = absl::InfiniteFuture();  // while a health check runs
  };
  absl::Status LoadOne(const ExecutorConfig& config, const HostConfig& host);
  bool RefreshOne(Row* row);

  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Row>> rows_;  // never changes after Load; offer, note and asked guarded by mutex_
  absl::flat_hash_map<std::string, Row*> by_name_;
};

}  // namespace muster::execution
