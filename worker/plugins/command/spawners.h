// The few threads that start processes. vfork stops its caller until the exec, so there is about one per core; and
// they live as long as the executor, because a child's parent-death signal is the thread's that made it.
// Thread rule: Add from any thread. Ownership: joins its threads at the end, after starting what waits.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "worker/plugins/command/command_run.h"

namespace muster::command {

class Spawners {
 public:
  explicit Spawners(unsigned count);
  ~Spawners();
  void Add(std::shared_ptr<CommandRun> run);

 private:
  void Run();

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<std::shared_ptr<CommandRun>> waiting_;
  unsigned sleeping_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace muster::command
