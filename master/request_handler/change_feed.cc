#include "master/request_handler/change_feed.h"

#include <algorithm>
#include <variant>

namespace muster::handler {

ChangeFeed::ChangeFeed(size_t limit) : limit_(limit), thread_([this] { Loop(); }) {}

ChangeFeed::~ChangeFeed() { Stop(); }

void ChangeFeed::Stop() {
  {
    absl::MutexLock lock(&queue_mutex_);
    closed_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void ChangeFeed::Publish(const std::vector<core::Effect>& effects, CommitNumber commit) {
  const uint64_t number = turn_.load(std::memory_order_relaxed) + 1;
  const bool followed = follower_count_.load(std::memory_order_acquire) > 0;
  Turn turn{.stamp = {.turn = number, .commit = commit}};
  for (const core::Effect& effect : effects) {
    if (const auto* session = std::get_if<core::OpenSession>(&effect)) {
      absl::MutexLock lock(&names_mutex_);
      names_[session->worker] = session->name;
    } else if (followed) {
      if (const auto* changed = std::get_if<core::TaskChanged>(&effect)) turn.changes.emplace_back(*changed);
      if (const auto* accepted = std::get_if<core::TasksAccepted>(&effect)) turn.changes.emplace_back(*accepted);
    }
  }
  if (!turn.changes.empty()) {
    absl::MutexLock lock(&queue_mutex_);
    if (queued_changes_ + turn.changes.size() > limit_) {
      overflow_ = true;
    } else {
      queued_changes_ += turn.changes.size();
      queue_.push_back(std::move(turn));
    }
  }
  turn_.store(number, std::memory_order_release);
}

void ChangeFeed::Run(std::function<void()> job) {
  absl::MutexLock lock(&queue_mutex_);
  Turn turn;
  turn.job = std::move(job);
  queue_.push_back(std::move(turn));
}

void ChangeFeed::Follow(const std::shared_ptr<Follower>& follower, const std::vector<TaskRange>& ranges) {
  absl::MutexLock lock(&followers_mutex_);
  Entry& entry = followers_[follower.get()];
  entry.follower = follower;
  for (const TaskRange& range : ranges) {
    if (std::find(entry.ranges.begin(), entry.ranges.end(), range) != entry.ranges.end()) continue;
    entry.ranges.push_back(range);
    index_.Add(range, follower.get());
  }
  follower_count_.store(followers_.size(), std::memory_order_release);
}

void ChangeFeed::FollowAll(const std::shared_ptr<Follower>& follower) {
  absl::MutexLock lock(&followers_mutex_);
  Entry& entry = followers_[follower.get()];
  entry.follower = follower;
  if (!entry.all) all_.push_back(follower.get());
  entry.all = true;
  follower_count_.store(followers_.size(), std::memory_order_release);
}

void ChangeFeed::Unfollow(Follower* follower) {
  std::shared_ptr<Follower> last;  // dies after the lock is gone
  absl::MutexLock lock(&followers_mutex_);
  const auto it = followers_.find(follower);
  if (it == followers_.end()) return;
  for (const TaskRange& range : it->second.ranges) index_.Remove(range, follower);
  if (it->second.all) std::erase(all_, follower);
  last = std::move(it->second.follower);
  followers_.erase(it);
  follower_count_.store(followers_.size(), std::memory_order_release);
}

std::string ChangeFeed::WorkerName(WorkerId worker) const {
  absl::MutexLock lock(&names_mutex_);
  const auto it = names_.find(worker);
  return it == names_.end() ? std::string() : it->second;
}

void ChangeFeed::Loop() {
  while (true) {
    std::deque<Turn> turns;
    bool overflow = false;
    {
      absl::MutexLock lock(&queue_mutex_);
      queue_mutex_.Await(absl::Condition(this, &ChangeFeed::Ready));
      if (queue_.empty()) return;
      turns.swap(queue_);
      queued_changes_ = 0;
      overflow = std::exchange(overflow_, false);
    }
    if (overflow) DropEveryone();
    for (const Turn& turn : turns) {
      if (turn.job) {
        turn.job();
      } else {
        Deliver(turn);
      }
    }
  }
}

void ChangeFeed::Deliver(const Turn& turn) {
  absl::flat_hash_map<Follower*, std::shared_ptr<Follower>> told;
  std::vector<std::shared_ptr<Follower>> to_tell;
  for (const Change& change : turn.changes) {
    to_tell.clear();
    {
      absl::MutexLock lock(&followers_mutex_);
      const auto add = [&](Follower* follower) ABSL_NO_THREAD_SAFETY_ANALYSIS {
        to_tell.push_back(followers_.find(follower)->second.follower);
      };
      std::for_each(all_.begin(), all_.end(), add);
      if (const auto* changed = std::get_if<core::TaskChanged>(&change)) index_.ForEach(changed->task, add);
    }
    for (const std::shared_ptr<Follower>& follower : to_tell) {
      if (const auto* changed = std::get_if<core::TaskChanged>(&change)) {
        follower->OnChange(*changed, turn.stamp);
      } else {
        follower->OnAccepted(std::get<core::TasksAccepted>(change), turn.stamp);
      }
      told.emplace(follower.get(), follower);
    }
  }
  for (const auto& [raw, follower] : told) follower->OnTurn(turn.stamp);
}

void ChangeFeed::DropEveryone() {
  std::vector<std::shared_ptr<Follower>> everyone;
  {
    absl::MutexLock lock(&followers_mutex_);
    for (const auto& [raw, entry] : followers_) everyone.push_back(entry.follower);
  }
  for (const std::shared_ptr<Follower>& follower : everyone) {
    Unfollow(follower.get());
    follower->OnOverflow();
  }
}

}  // namespace muster::handler
