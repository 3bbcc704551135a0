// One ReadActivity call: pages of the activity log, oldest first, and on request what follows as it becomes durable.
//
// One page is read at a time, and the next only when the client has taken the one before: a slow reader costs a page.
// Thread rule: any thread; pages are read on the pool. Ownership: by itself (server_stream.h); store and pool must
// outlive it. Errors: those of a selector (selector.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/activity.h"
#include "common/domain/ids.h"
#include "master/core/ports.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/server_stream.h"
#include "master/store/store.h"
#include "muster/v1/cluster_service.pb.h"

namespace muster::handler {

// Which records a reader wants; both empty: all.
struct ActivityFilter {
  std::optional<std::vector<TaskRange>> tasks;
  std::string worker;
};
bool Matches(const ActivityFilter& filter, const activity::Record& record);

class ActivityStream final : public ServerStream<v1::ReadActivityResponse> {
 public:
  struct Ports {
    store::Store* store;
    core::Inspector* inspector;
    ReadPool* pool;
    absl::Duration inspect_wait;
  };

  ActivityStream(Ports ports, const v1::ReadActivityRequest& request);

  void Begin(CommitNumber durable) ABSL_LOCKS_EXCLUDED(mutex_);
  // Commits up to this one are durable.
  void NoteCommit(CommitNumber commit) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  std::shared_ptr<ActivityStream> Self() { return std::static_pointer_cast<ActivityStream>(shared_from_this()); }
  void OnWritten() override ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(std::vector<v1::ReadActivityResponse> messages) ABSL_LOCKS_EXCLUDED(mutex_);
  void Step() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadPage(CommitNumber target) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ResolveTask();

  const Ports ports_;
  const bool follow_;
  const absl::Time since_;
  const std::string selector_;
  ActivityFilter filter_;  // of the one page that is read
  bool resolved_ = false;

  absl::Mutex mutex_;
  CommitNumber cursor_ ABSL_GUARDED_BY(mutex_);   // told up to here
  CommitNumber durable_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;     // a page is read, or on its way to the client
  size_t unsent_ ABSL_GUARDED_BY(mutex_) = 0;     // messages of that page
};

}  // namespace muster::handler
