// One attached reader: its tasks, how far it is with each, and what to send it next.
//
// Selectors are resolved on the read pool; changes come from the feed, chunks from the relay, ends and retained output
// that are not at hand from the store, a few at a time. Nothing is pushed: the stream asks Fill for the next message
// whenever one has been written, so a slow reader costs what `limits.reader_bytes` says and no more. Beyond it, a
// report is dropped and read from the store when its turn comes, and a chunk is refused and asked for again.
//
// Thread rule: any thread; its lock is never held while the relay, the feed, the store or the stream is called.
// Ownership: shared by the stream, the feed and the relay; Close cuts it off from all of them.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "common/domain/task_set.h"
#include "master/request_handler/attached_task.h"
#include "master/request_handler/context.h"
#include "master/request_handler/task_reader.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class AttachSession final : public Follower, public OutputReader, public std::enable_shared_from_this<AttachSession> {
 public:
  struct Hooks {
    std::function<void()> wake;                      // there is something for Fill
    std::function<void(const absl::Status&)> finish; // after what is queued; any number of times
  };
  AttachSession(Context* context, Hooks hooks) : context_(context), hooks_(std::move(hooks)) {}

  void OnRequest(v1::AttachRequest request) ABSL_LOCKS_EXCLUDED(mutex_);
  // No more requests will come: output counts as read when it is sent, and the stream ends with its last task.
  void OnRequestsEnd() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Fill(v1::AttachResponse* response) ABSL_LOCKS_EXCLUDED(mutex_);
  void Close(OutputRelay::Why why) ABSL_LOCKS_EXCLUDED(mutex_);

  void OnChange(const core::TaskChanged& change, const Stamp& stamp) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnAccepted(const core::TasksAccepted&, const Stamp&) override {}
  void OnTurn(const Stamp& stamp) override;
  void OnOverflow() override;
  void OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                int64_t skipped) override ABSL_LOCKS_EXCLUDED(mutex_);
  int64_t WantedOffset(AttemptKey key, core::OutputStreamKind stream) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::unique_ptr<AttachedTask> task;
    bool ready = false;    // in ready_
    bool fetching = false; // in fetch_ or being fetched
  };
  // What to do once the lock is free.
  struct Orders {
    struct Subscription {
      AttachedTask::Live live;
      core::OutputStreamKind stream;
      int64_t offset;
    };
    struct Position {
      AttemptKey key;
      core::OutputStreamKind stream;
      int64_t offset;
    };
    std::vector<Subscription> subscribe;
    std::vector<Position> acknowledge;
    std::vector<Position> hold;
    std::vector<AttemptKey> leave;
    bool fetch = false;
    bool wake = false;
    bool finish = false;
  };
  class Writer;

  void Attach(const v1::AttachRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  // The ranges that are new to this stream.
  absl::StatusOr<std::vector<TaskRange>> AddTasks(const std::vector<TaskRange>& ranges, const v1::AttachRequest& request)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeSnapshot(const std::vector<TaskRange>& ranges) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeSnapshotPage(const std::vector<TaskId>& ids) ABSL_LOCKS_EXCLUDED(mutex_);
  void AcknowledgeAll(const v1::AttachRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Fetch() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FetchOne(TaskId id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FetchEnd(TaskId id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `change` on the task and does whatever follows from it.
  void Update(TaskId id, Orders* orders, absl::FunctionRef<void(AttachedTask*)> change)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advance(Entry* entry, Orders* orders) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True: the task is done, and gone.
  bool SendTask(TaskId id, int64_t most_bytes, Writer* writer, Orders* orders) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AskStalled(Orders* orders) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool RoomToFetch() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CarryOut(const Orders& orders) ABSL_LOCKS_EXCLUDED(mutex_);

  Context* const context_;
  const Hooks hooks_;

  absl::Mutex mutex_;
  absl::flat_hash_map<TaskId, Entry> tasks_ ABSL_GUARDED_BY(mutex_);
  std::deque<TaskId> ready_ ABSL_GUARDED_BY(mutex_);
  std::deque<TaskId> fetch_ ABSL_GUARDED_BY(mutex_);
  std::vector<TaskId> stalled_ ABSL_GUARDED_BY(mutex_);
  std::deque<int64_t> counts_ ABSL_GUARDED_BY(mutex_);  // attached_count events to send
  TaskSet attached_ ABSL_GUARDED_BY(mutex_);            // also what has ended since
  int64_t attached_count_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t held_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  int attaching_ ABSL_GUARDED_BY(mutex_) = 0;           // selectors being resolved
  bool fetching_ ABSL_GUARDED_BY(mutex_) = false;
  bool states_only_ ABSL_GUARDED_BY(mutex_) = false;
  bool requests_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace muster::handler
