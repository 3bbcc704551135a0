// Noops that take time or write: one run each, and the one thread that wakes the sleeping ones.
// Thread rule: any thread. Ownership: a run is shared by its handle and the loop; its context is not used after
// Finish.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "worker/plugin_api/executor.h"
#include "worker/plugins/noop/parameters.h"

namespace muster::noop {

using SteadyTime = std::chrono::steady_clock::time_point;

class NoopRun {
 public:
  NoopRun(const Parameters& parameters, plugin::Context* context);
  SteadyTime due() const { return due_; }

  void Advance();  // writes what there is room for, and finishes when all is done
  void Stop(int signal);

 private:
  bool WriteSome();
  void Finish(plugin::Result result);

  const Parameters parameters_;
  plugin::Context* const context_;
  const SteadyTime due_;

  std::recursive_mutex mutex_;  // Output may call back with OutputRoom
  int64_t written_bytes_ = 0;
  bool finished_ = false;
};

class SleepLoop {
 public:
  SleepLoop();
  ~SleepLoop();
  void WakeAt(SteadyTime time, std::shared_ptr<NoopRun> run);

 private:
  void Run();

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::multimap<SteadyTime, std::shared_ptr<NoopRun>> sleeping_;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace muster::noop
