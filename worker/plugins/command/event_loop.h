// The one thread that waits for everything: pidfds, pipes, timers, and what other threads post.
//
//   loop.Watch(fd, EPOLLIN, watcher, tag)   -> watcher->OnReady(tag, events) on the loop's thread
//   loop.Unwatch(watch); close(fd);          in this order: a closed descriptor can stay registered while a child
//                                            still holds a copy, and its event would then hit a reused number
// Each event carries the generation of its entry, so that one that was fetched before an Unwatch goes nowhere.
// Thread rule: Watch, Post and PostSoon from any thread; the others on the loop's thread. Ownership: an entry holds
// its watcher alive until Unwatch. Units: std::chrono.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "worker/plugins/command/descriptor.h"

namespace muster::command {

class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnReady(uint32_t tag, uint32_t events) = 0;
};

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using Watch = uint64_t;  // 0: none
  using Timer = std::pair<Clock::time_point, uint64_t>;

  EventLoop();
  ~EventLoop();  // stops and joins; nothing may be watched any more
  bool ok() const { return ok_; }

  Watch AddWatch(int fd, uint32_t events, std::shared_ptr<Watcher> watcher, uint32_t tag);
  void Unwatch(Watch* watch, int fd);

  Timer After(Clock::duration delay, std::function<void()> action);
  void Cancel(Timer* timer);

  void Post(std::function<void()> action);
  // Within four milliseconds or so, without a wake-up of its own: for what is usually over by then.
  void PostSoon(std::function<void()> action);

 private:
  struct Entry {
    uint32_t generation = 0;
    uint32_t tag = 0;
    std::shared_ptr<Watcher> watcher;
  };

  void Run();
  int WaitMillis() const;
  void Dispatch(uint64_t data, uint32_t events);
  void RunPosted();
  void RunSoon();
  void RunTimers();
  void ArmSoon();

  // Never change after construction.
  Descriptor epoll_, wake_, soon_timer_;
  bool ok_ = false;

  std::mutex mutex_;  // guards what follows
  std::deque<Entry> entries_;
  std::vector<uint32_t> free_;
  std::vector<std::function<void()>> posted_;
  std::deque<std::pair<Clock::time_point, std::function<void()>>> soon_;
  bool soon_armed_ = false;
  bool stopping_ = false;

  // The loop's thread alone.
  std::map<Timer, std::function<void()>> timers_;
  uint64_t next_timer_ = 1;

  std::thread thread_;
};

}  // namespace muster::command
