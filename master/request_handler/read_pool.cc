#include "master/request_handler/read_pool.h"

#include <utility>

namespace muster::handler {

ReadPool::ReadPool(size_t threads, size_t queue_limit) : queue_limit_(queue_limit) {
  threads_.reserve(threads);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

ReadPool::~ReadPool() { Stop(); }

void ReadPool::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool ReadPool::Post(std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || jobs_.size() >= queue_limit_) return false;
  jobs_.push_back(std::move(job));
  return true;
}

bool ReadPool::PostAlways(std::function<void()> job) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return false;
  jobs_.push_back(std::move(job));
  return true;
}

void ReadPool::Run() {
  while (true) {
    std::function<void()> job;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ReadPool::Ready));
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace muster::handler
