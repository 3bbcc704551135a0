// From the loop to those who follow tasks: every turn's changes, in order, on a thread of its own, so that the loop
// never writes a message to a client.
//
//   feed.Follow(reader, ranges);                    // before the snapshot is asked for
//   inspector->Inspect([feed](core) { turn = feed->turn(); ... });   // the snapshot is as of this turn
//   reader->OnChange(change, stamp)                 // stamp.turn > turn: newer than the snapshot
//
// Thread rule: Publish on the loop's thread; OnChange and OnTurn on the feed's; everything else from any thread.
// Bounded: when the feed falls `limit` changes behind, the followers are told OnOverflow and dropped.
// Ownership: followers are shared; they stay alive while the feed calls them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/ids.h"
#include "master/core/effects.h"
#include "master/request_handler/range_index.h"

namespace muster::handler {

struct Stamp {
  uint64_t turn = 0;     // of this run of the master; every Publish is one
  CommitNumber commit;
};

class Follower {
 public:
  virtual ~Follower() = default;
  virtual void OnChange(const core::TaskChanged& change, const Stamp& stamp) = 0;
  // Only for those who follow everything.
  virtual void OnAccepted(const core::TasksAccepted& accepted, const Stamp& stamp) = 0;
  // After the last change of a turn that this one was told of.
  virtual void OnTurn(const Stamp& stamp) = 0;
  virtual void OnOverflow() = 0;
};

class ChangeFeed {
 public:
  explicit ChangeFeed(size_t limit = 1 << 20);
  ~ChangeFeed();
  // Delivers what is queued, and ends the thread.
  void Stop();

  void Publish(const std::vector<core::Effect>& effects, CommitNumber commit);
  // Of the last Publish; exact on the loop's thread.
  uint64_t turn() const { return turn_.load(std::memory_order_acquire); }

  void Follow(const std::shared_ptr<Follower>& follower, const std::vector<TaskRange>& ranges);
  void FollowAll(const std::shared_ptr<Follower>& follower);
  void Unfollow(Follower* follower);

  // Runs `job` on the feed's thread, after what was published before: for answers that the loop must not write itself.
  void Run(std::function<void()> job);

  // "" for a worker that never had a session.
  std::string WorkerName(WorkerId worker) const;

 private:
  using Change = std::variant<core::TaskChanged, core::TasksAccepted>;
  struct Turn {
    Stamp stamp;
    std::vector<Change> changes;
    std::function<void()> job;  // then nothing else is set
  };
  struct Entry {
    std::shared_ptr<Follower> follower;
    std::vector<TaskRange> ranges;
    bool all = false;
  };

  void Loop();
  void Deliver(const Turn& turn);
  void DropEveryone();
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_) { return closed_ || !queue_.empty(); }

  const size_t limit_;
  std::atomic<uint64_t> turn_{0};
  std::atomic<size_t> follower_count_{0};

  absl::Mutex queue_mutex_;
  std::deque<Turn> queue_ ABSL_GUARDED_BY(queue_mutex_);
  size_t queued_changes_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  bool overflow_ ABSL_GUARDED_BY(queue_mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(queue_mutex_) = false;

  mutable absl::Mutex followers_mutex_;
  absl::flat_hash_map<Follower*, Entry> followers_ ABSL_GUARDED_BY(followers_mutex_);
  std::vector<Follower*> all_ ABSL_GUARDED_BY(followers_mutex_);
  RangeIndex<Follower> index_ ABSL_GUARDED_BY(followers_mutex_);

  mutable absl::Mutex names_mutex_;
  absl::flat_hash_map<WorkerId, std::string> names_ ABSL_GUARDED_BY(names_mutex_);

  std::thread thread_;
};

}  // namespace muster::handler
