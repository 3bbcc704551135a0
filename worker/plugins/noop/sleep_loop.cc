#include "worker/plugins/noop/sleep_loop.h"

#include <algorithm>
#include <string>
#include <utility>

namespace muster::noop {
namespace {

constexpr size_t kWriteBytes = 64 * 1024;

}  // namespace

NoopRun::NoopRun(const Parameters& parameters, plugin::Context* context)
    : parameters_(parameters),
      context_(context),
      due_(std::chrono::steady_clock::now() + std::chrono::milliseconds(parameters.sleep_ms)) {}

void NoopRun::Advance() {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (finished_ || std::chrono::steady_clock::now() < due_ || !WriteSome()) return;
  plugin::Result result;
  result.exit_code = parameters_.exit_code;
  result.by_itself = true;
  Finish(std::move(result));
}

bool NoopRun::WriteSome() {
  while (written_bytes_ < parameters_.output_bytes) {
    const auto left = static_cast<size_t>(parameters_.output_bytes - written_bytes_);
    const std::string bytes(std::min(left, kWriteBytes), 'x');
    const size_t taken = context_->Output(plugin::Stream::kStdout, bytes);
    written_bytes_ += static_cast<int64_t>(taken);
    if (taken < bytes.size()) return false;
  }
  return true;
}

void NoopRun::Stop(int signal) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  if (finished_) return;
  plugin::Result result;
  result.reason = plugin::EndReason::kSignaled;
  result.signal = signal;
  Finish(std::move(result));
}

void NoopRun::Finish(plugin::Result result) {
  finished_ = true;
  context_->Finish(std::move(result));
}

SleepLoop::SleepLoop() : thread_([this] { Run(); }) {}

SleepLoop::~SleepLoop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void SleepLoop::WakeAt(SteadyTime time, std::shared_ptr<NoopRun> run) {
  bool first;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto place = sleeping_.emplace(time, std::move(run));
    first = place == sleeping_.begin();
  }
  if (first) wake_.notify_one();
}

void SleepLoop::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    if (sleeping_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const SteadyTime next = sleeping_.begin()->first;
    if (std::chrono::steady_clock::now() < next) {
      wake_.wait_until(lock, next);
      continue;
    }
    const std::shared_ptr<NoopRun> run = std::move(sleeping_.begin()->second);
    sleeping_.erase(sleeping_.begin());
    lock.unlock();
    run->Advance();
    lock.lock();
  }
}

}  // namespace muster::noop
