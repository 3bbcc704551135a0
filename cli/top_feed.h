// What `muster top` shows, fetched again and again on a thread of its own, so that a master that does not answer stops
// neither the keys nor the clock on the screen.
//
// Thread rule: the main thread; the calls are made on the feed's own. Ownership: the wakeup must outlive it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "muster/v1/cluster_service.pb.h"
#include "muster/v1/queue_service.pb.h"

namespace muster::cli {

struct TopSnapshot {
  absl::Time time;
  v1::GetSummaryResponse summary;  // with the longest running
  v1::ListWorkersResponse workers;
  v1::ListQueuesResponse queues;
};

// A second, between two snapshots.
struct TopRates {
  double ended = 0;
  double failed = 0;
  double started = 0;
};
// Empty: they are of two runs of the master, or of one moment.
std::optional<TopRates> RatesBetween(const TopSnapshot& before, const TopSnapshot& after);

absl::StatusOr<TopSnapshot> TakeTopSnapshot(Client* client);

class TopFeed {
 public:
  // Rings `wakeup` after each call that it made. `client` is used by the feed's thread alone.
  TopFeed(std::unique_ptr<Client> client, absl::Duration interval, Wakeup* wakeup);
  // Does not wait for a master that does not answer.
  ~TopFeed();
  TopFeed(const TopFeed&) = delete;
  TopFeed& operator=(const TopFeed&) = delete;

  // The newest, when there is one that was not taken.
  std::optional<absl::StatusOr<TopSnapshot>> Take();

 private:
  void Run();

  const std::unique_ptr<Client> client_;
  const absl::Duration interval_;
  Wakeup* const wakeup_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;                                // guarded by mutex_
  std::optional<absl::StatusOr<TopSnapshot>> newest_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace muster::cli
