#include "worker/plugins/command/spawners.h"

#include <chrono>
#include <utility>

namespace muster::command {
namespace {

// What the process ignores hardly ever changes; asking costs a system call for each signal.
constexpr auto kSignalsAge = std::chrono::seconds(1);

}  // namespace

Spawners::Spawners(unsigned count) {
  for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { Run(); });
}

Spawners::~Spawners() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Spawners::Add(std::shared_ptr<CommandRun> run) {
  bool wake;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(run));
    wake = sleeping_ > 0;
  }
  if (wake) wake_.notify_one();
}

void Spawners::Run() {
  BlockEverySignal();
  ChildStack stack;
  uint64_t ignored = IgnoredSignals();
  auto asked = std::chrono::steady_clock::now();
  while (true) {
    std::shared_ptr<CommandRun> run;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      ++sleeping_;
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      --sleeping_;
      if (waiting_.empty()) return;
      run = std::move(waiting_.front());
      waiting_.pop_front();
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - asked > kSignalsAge) {
      ignored = IgnoredSignals();
      asked = now;
    }
    run->Begin(stack, ignored);
  }
}

}  // namespace muster::command
