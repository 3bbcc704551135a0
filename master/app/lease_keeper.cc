#include "master/app/lease_keeper.h"

#include <pthread.h>

#include <utility>

#include "master/app/threads.h"

namespace muster::master {

LeaseKeeper::LeaseKeeper(absl::Duration interval, std::function<void()> answer)
    : interval_(interval), answer_(std::move(answer)), thread_([this] { Run(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    stop_.Signal();
  }
  thread_.join();
}

void LeaseKeeper::Set(bool open) {
  absl::MutexLock lock(&mutex_);
  open_ = open;
  rounds_open_ = 0;
}

void LeaseKeeper::Run() {
  pthread_setname_np(pthread_self(), kLeaseKeeperThreadName);
  absl::MutexLock lock(&mutex_);
  while (!stopping_) {
    stop_.WaitWithTimeout(&mutex_, interval_);
    if (!stopping_ && open_ && ++rounds_open_ > 1) answer_();  // the first round may have begun just before
  }
}

}  // namespace muster::master
