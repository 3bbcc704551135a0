#include "worker/plugins/command/event_loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>

#include "worker/plugins/command/child.h"

namespace muster::command {
namespace {

constexpr uint64_t kWakeData = ~uint64_t{0};
constexpr uint64_t kSoonData = ~uint64_t{0} - 1;
constexpr auto kSoon = std::chrono::milliseconds(4);
constexpr int kEventsAtOnce = 64;

void Register(int epoll, int fd, uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = data;
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      soon_timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  ok_ = epoll_.valid() && wake_.valid() && soon_timer_.valid();
  if (!ok_) return;
  Register(epoll_.get(), wake_.get(), kWakeData);
  Register(epoll_.get(), soon_timer_.get(), kSoonData);
  thread_ = std::thread([this] { Run(); });
}

EventLoop::~EventLoop() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

EventLoop::Watch EventLoop::AddWatch(int fd, uint32_t events, std::shared_ptr<Watcher> watcher, uint32_t tag) {
  uint64_t watch;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    uint32_t index;
    if (free_.empty()) {
      index = static_cast<uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Entry& entry = entries_[index];
    ++entry.generation;
    entry.tag = tag;
    entry.watcher = std::move(watcher);
    watch = (uint64_t{index} << 32) | entry.generation;
  }
  epoll_event event{};
  event.events = events;
  event.data.u64 = watch;
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  return watch;
}

void EventLoop::Unwatch(Watch* watch, int fd) {
  if (*watch == 0) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  std::shared_ptr<Watcher> last;  // released without the lock
  std::lock_guard<std::mutex> lock(mutex_);
  const auto index = static_cast<uint32_t>(*watch >> 32);
  Entry& entry = entries_[index];
  ++entry.generation;
  last.swap(entry.watcher);
  free_.push_back(index);
  *watch = 0;
}

EventLoop::Timer EventLoop::After(Clock::duration delay, std::function<void()> action) {
  const Timer timer{Clock::now() + delay, next_timer_++};
  timers_.emplace(timer, std::move(action));
  return timer;
}

void EventLoop::Cancel(Timer* timer) {
  if (timer->second != 0) timers_.erase(*timer);
  timer->second = 0;
}

void EventLoop::Post(std::function<void()> action) {
  bool first;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(action));
  }
  if (first) eventfd_write(wake_.get(), 1);
}

void EventLoop::PostSoon(std::function<void()> action) {
  std::lock_guard<std::mutex> lock(mutex_);
  soon_.emplace_back(Clock::now() + kSoon, std::move(action));
  if (!soon_armed_) ArmSoon();
}

void EventLoop::ArmSoon() {
  const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(soon_.front().first - Clock::now()).count();
  itimerspec when{};
  when.it_value.tv_nsec = std::clamp<int64_t>(left, 1, 999'999'999);
  timerfd_settime(soon_timer_.get(), 0, &when, nullptr);
  soon_armed_ = true;
}

int EventLoop::WaitMillis() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first.first - Clock::now();
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<int64_t>(millis, 0, 60'000));
}

void EventLoop::Run() {
  BlockEverySignal();
  epoll_event events[kEventsAtOnce];
  while (true) {
    const int count = epoll_wait(epoll_.get(), events, kEventsAtOnce, WaitMillis());
    for (int i = 0; i < count; ++i) Dispatch(events[i].data.u64, events[i].events);
    RunTimers();
    std::lock_guard<std::mutex> lock(mutex_);
    if (stopping_ && posted_.empty()) return;
  }
}

void EventLoop::Dispatch(uint64_t data, uint32_t events) {
  if (data == kWakeData) return RunPosted();
  if (data == kSoonData) return RunSoon();
  std::shared_ptr<Watcher> watcher;
  uint32_t tag = 0;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const Entry& entry = entries_[data >> 32];
    if (entry.generation != static_cast<uint32_t>(data)) return;
    watcher = entry.watcher;
    tag = entry.tag;
  }
  watcher->OnReady(tag, events);
}

void EventLoop::RunPosted() {
  eventfd_t ignored;
  eventfd_read(wake_.get(), &ignored);
  std::vector<std::function<void()>> actions;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    actions.swap(posted_);
  }
  for (auto& action : actions) action();
}

void EventLoop::RunSoon() {
  uint64_t ignored;
  if (read(soon_timer_.get(), &ignored, sizeof(ignored)) < 0 && errno == EAGAIN) return;
  std::vector<std::function<void()>> due;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto now = Clock::now();
    while (!soon_.empty() && soon_.front().first <= now) {
      due.push_back(std::move(soon_.front().second));
      soon_.pop_front();
    }
    soon_armed_ = false;
    if (!soon_.empty()) ArmSoon();
  }
  for (auto& action : due) action();
}

void EventLoop::RunTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= Clock::now()) {
    auto action = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    action();
  }
}

}  // namespace muster::command
