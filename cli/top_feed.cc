#include "cli/top_feed.h"

#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr int kLongestRunning = 50;

}  // namespace

std::optional<TopRates> RatesBetween(const TopSnapshot& before, const TopSnapshot& after) {
  const v1::ClusterSummary& was = before.summary.summary();
  const v1::ClusterSummary& is = after.summary.summary();
  const double seconds = absl::ToDoubleSeconds(after.time - before.time);
  if (was.cluster_id() != is.cluster_id() || was.epoch() != is.epoch() || seconds <= 0) return std::nullopt;
  return TopRates{.ended = static_cast<double>(is.ended_count() - was.ended_count()) / seconds,
                  .failed = static_cast<double>(is.failed_count() - was.failed_count()) / seconds,
                  .started = static_cast<double>(is.dispatched_count() - was.dispatched_count()) / seconds};
}

absl::StatusOr<TopSnapshot> TakeTopSnapshot(Client* client) {
  TopSnapshot snapshot;
  v1::GetSummaryRequest request;
  request.set_longest_running(kLongestRunning);
  MUSTER_ASSIGN_OR_RETURN(snapshot.summary, client->GetSummary(request));
  snapshot.time = absl::Now();
  MUSTER_ASSIGN_OR_RETURN(snapshot.workers, client->ListWorkers({}));
  MUSTER_ASSIGN_OR_RETURN(snapshot.queues, client->ListQueues({}));
  return snapshot;
}

TopFeed::TopFeed(std::unique_ptr<Client> client, absl::Duration interval, Wakeup* wakeup)
    : client_(std::move(client)), interval_(interval), wakeup_(wakeup), thread_([this] { Run(); }) {}

TopFeed::~TopFeed() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  client_->Abandon();
  thread_.join();
}

std::optional<absl::StatusOr<TopSnapshot>> TopFeed::Take() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(newest_, std::nullopt);
}

void TopFeed::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  absl::Time next = absl::Now() + interval_;
  while (true) {
    changed_.wait_until(lock, absl::ToChronoTime(next), [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    absl::StatusOr<TopSnapshot> snapshot = TakeTopSnapshot(client_.get());
    lock.lock();
    newest_ = std::move(snapshot);
    wakeup_->Ring();
    next = std::max(next + interval_, absl::Now());
  }
}

}  // namespace muster::cli
