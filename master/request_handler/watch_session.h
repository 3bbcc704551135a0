// One watcher: a snapshot of what its filter selects, a page at a time, then the latest change of each task.
//
// It follows the feed before the first page is read, so that nothing falls between; a change that a page already shows
// is dropped by its turn. With a resume commit the snapshot is: what is open now, and what ended after that commit
// (from the activity log), so that an end is never skipped. Tasks of a batch come without their arguments.
//
// Thread rule: any thread; its lock is never held while the feed, the store or the stream is called. Ownership: shared
// by the stream and the feed. Errors: those of the filter; RESOURCE_EXHAUSTED WATCHER_TOO_SLOW: begin anew.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "master/request_handler/conflation.h"
#include "master/request_handler/context.h"
#include "master/request_handler/task_reader.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class WatchSession final : public Follower, public std::enable_shared_from_this<WatchSession> {
 public:
  struct Hooks {
    std::function<void()> wake;
    std::function<void(const absl::Status&)> finish;
  };
  WatchSession(Context* context, v1::WatchRequest request, Hooks hooks);

  void Start();
  bool Fill(v1::WatchResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnChange(const core::TaskChanged& change, const Stamp& stamp) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAccepted(const core::TasksAccepted& accepted, const Stamp& stamp) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnTurn(const Stamp& stamp) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnOverflow() override;

 private:
  void Begin();          // on the pool: selectors, then the first page
  void ReadNextPage();   // on the pool
  absl::Status ReadEndedSince();
  void AddPage(TaskReader::Page page) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Selected(TaskId id) const;
  void Add(TaskNote note, const Stamp& stamp) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Context* const context_;
  const v1::WatchRequest request_;
  const Hooks hooks_;
  std::vector<TaskRange> ranges_;  // set before the feed is followed

  absl::Mutex mutex_;
  Conflation changes_ ABSL_GUARDED_BY(mutex_);
  std::vector<TaskNote> page_ ABSL_GUARDED_BY(mutex_);  // of the snapshot, from page_sent_ on
  size_t page_sent_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<TaskId> unreadable_ ABSL_GUARDED_BY(mutex_);  // of the page, not yet told
  TaskId next_ ABSL_GUARDED_BY(mutex_);
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool last_page_read_ ABSL_GUARDED_BY(mutex_) = false;
  bool snapshot_told_ ABSL_GUARDED_BY(mutex_) = false;
  bool too_slow_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t commit_ ABSL_GUARDED_BY(mutex_) = 0;  // of the newest change that was taken
};

}  // namespace muster::handler
