#include "master/request_handler/watch_session.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/request_handler/task_view.h"

namespace muster::handler {
namespace {

constexpr size_t kPageSize = 500;
constexpr size_t kRecordsAtOnce = 4096;
constexpr size_t kMessageBytes = 256 << 10;
constexpr int kMostTasks = 1000;  // of one message

absl::Status TooSlow() {
  return RefuseForNow("WATCHER_TOO_SLOW", "more changed than the watcher took; begin anew from a snapshot",
                      absl::ZeroDuration());
}

}  // namespace

WatchSession::WatchSession(Context* context, v1::WatchRequest request, Hooks hooks)
    : context_(context),
      request_(std::move(request)),
      hooks_(std::move(hooks)),
      changes_(context->deps.limits.watch_changes) {}

void WatchSession::Start() {
  if (!context_->pool.Post([self = shared_from_this()] { self->Begin(); })) hooks_.finish(PoolIsFull());
}

void WatchSession::Begin() {
  const auto begin = [this]() -> absl::Status {
    MUSTER_RETURN_IF_ERROR(CheckFilter(request_.filter(), context_->deps.limits));
    MUSTER_ASSIGN_OR_RETURN(ranges_, context_->selectors.ResolveAll(request_.filter().selectors(), Purpose::kRead));
    if (ranges_.empty()) {
      context_->feed.FollowAll(shared_from_this());
    } else {
      context_->feed.Follow(shared_from_this(), ranges_);
    }
    return request_.resume_commit() > 0 ? ReadEndedSince() : absl::OkStatus();
  };
  const absl::Status status = begin();
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) {
      context_->feed.Unfollow(this);
      return;
    }
  }
  if (!status.ok()) {
    hooks_.finish(status);
    return;
  }
  ReadNextPage();
}

absl::Status WatchSession::ReadEndedSince() {
  CommitNumber after(request_.resume_commit());
  while (true) {
    MUSTER_ASSIGN_OR_RETURN(const std::vector<store::ActivityEntry> entries,
                            context_->deps.store->ReadActivity(after, absl::InfinitePast(), kRecordsAtOnce));
    for (const store::ActivityEntry& entry : entries) {
      after = std::max(after, entry.commit);
      const auto* ended = std::get_if<activity::TaskEnded>(&entry.record.event);
      if (ended == nullptr || !Selected(ended->key.task)) continue;
      MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> stored,
                              context_->deps.store->FindTask(ended->key.task));
      if (!stored || !stored->outcome || !SpecMatches(request_.filter(), *stored->specification.spec)) continue;
      absl::MutexLock lock(&mutex_);
      Add(NoteOf(*stored), {.turn = 0, .commit = stored->commit});
    }
    if (entries.size() < kRecordsAtOnce) return absl::OkStatus();
  }
}

bool WatchSession::Selected(TaskId id) const {
  return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [id](const TaskRange& range) {
    return id >= range.first && id.value() - range.first.value() < range.count;
  });
}

void WatchSession::ReadNextPage() {
  TaskId before;
  {
    absl::MutexLock lock(&mutex_);
    before = next_;
  }
  v1::TaskFilter filter = request_.filter();
  if (request_.resume_commit() > 0) filter.set_include_finished(false);  // those were read from the log
  TaskReader reader(context_);
  absl::StatusOr<TaskReader::Page> page = reader.ReadPage(filter, ranges_, before, kPageSize);
  if (!page.ok()) {
    hooks_.finish(page.status());
    return;
  }
  AddPage(*std::move(page));
  hooks_.wake();
}

void WatchSession::AddPage(TaskReader::Page page) {
  absl::MutexLock lock(&mutex_);
  reading_ = false;
  for (const TaskNote& note : page.notes) changes_.ShownIn(note.id, page.turn);
  page_ = std::move(page.notes);
  page_sent_ = 0;
  unreadable_ = std::move(page.unreadable);
  next_ = page.next;
  last_page_read_ = !page.next;
  commit_ = std::max(commit_, page.commit.value());
}

void WatchSession::OnChange(const core::TaskChanged& change, const Stamp& stamp) {
  absl::MutexLock lock(&mutex_);
  if (closed_) return;
  // A state that the filter does not show is told too: the watcher must learn that the task left its view.
  if (change.spec != nullptr && !SpecMatches(request_.filter(), *change.spec)) return;
  Add(NoteOf(change), stamp);
}

void WatchSession::OnAccepted(const core::TasksAccepted& accepted, const Stamp& stamp) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || !StateMatches(request_.filter(), accepted.state)) return;
  if (accepted.spec != nullptr && !SpecMatches(request_.filter(), *accepted.spec)) return;
  for (uint64_t i = 0; i < accepted.tasks.count && !too_slow_; ++i) {
    TaskNote note;
    note.id = TaskId(accepted.tasks.first.value() + i);
    note.state = accepted.state;
    note.spec = accepted.spec;
    note.batch = accepted.batch;
    note.batch_index = accepted.batch ? accepted.first_index + i : 0;
    note.created = accepted.time;
    Add(std::move(note), stamp);
  }
}

void WatchSession::Add(TaskNote note, const Stamp& stamp) {
  note.commit = stamp.commit.value();
  commit_ = std::max(commit_, stamp.commit.value());
  if (!changes_.Add(std::move(note), stamp.turn)) too_slow_ = true;
}

void WatchSession::OnTurn(const Stamp&) {
  bool too_slow = false;
  {
    absl::MutexLock lock(&mutex_);
    too_slow = too_slow_;
  }
  if (too_slow) {
    hooks_.finish(TooSlow());
  } else {
    hooks_.wake();
  }
}

void WatchSession::OnOverflow() { hooks_.finish(TooSlow()); }

bool WatchSession::Fill(v1::WatchResponse* response) {
  bool read = false;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    SpecCache specs;
    size_t bytes = 0;
    const auto show = [&](const TaskNote& note) {
      v1::Task* task = response->add_tasks();
      ViewNote(note, Detail::kList, &specs, task);
      if (note.worker.empty() && note.worker_id && task->attempts_size() > 0) {
        task->mutable_attempts(0)->set_worker(context_->feed.WorkerName(note.worker_id));
      }
      bytes += task->ByteSizeLong();
    };
    const auto full = [&] { return bytes >= kMessageBytes || response->tasks_size() >= kMostTasks; };
    if (!snapshot_told_) {
      for (const TaskId id : std::exchange(unreadable_, {})) response->add_unreadable_task_ids(IdToText(id.value()));
      while (page_sent_ < page_.size() && !full()) show(page_[page_sent_++]);
      if (page_sent_ < page_.size() || reading_) {
        // More of this page, or the page is on its way.
      } else if (last_page_read_) {
        page_ = {};
        snapshot_told_ = true;
        response->set_snapshot_complete(true);
      } else {
        read = reading_ = true;
      }
    } else {
      while (!full()) {
        const std::optional<TaskNote> note = changes_.Next();
        if (!note) break;
        show(*note);
      }
      // Only when nothing older is left to tell is the newest commit told in full.
      if (changes_.empty() && response->tasks_size() > 0) response->set_commit(commit_);
    }
    if (response->snapshot_complete() && changes_.empty()) response->set_commit(commit_);
  }
  if (read && !context_->pool.PostAlways([self = shared_from_this()] { self->ReadNextPage(); })) {
    hooks_.finish(PoolIsFull());
  }
  return response->tasks_size() > 0 || response->unreadable_task_ids_size() > 0 || response->snapshot_complete();
}

void WatchSession::Close() {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    closed_ = true;
  }
  context_->feed.Unfollow(this);
}

}  // namespace muster::handler
