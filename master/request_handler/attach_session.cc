#include "master/request_handler/attach_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/request_handler/task_view.h"

namespace muster::handler {
namespace {

constexpr int kMostEvents = 1000;  // of one message

}  // namespace

// Events into one message, and how full it is.
class AttachSession::Writer final : public AttachedEvents {
 public:
  Writer(const ChangeFeed* feed, v1::AttachResponse* response) : feed_(feed), response_(response) {}

  void State(const TaskNote& note) override {
    v1::Task* task = response_->add_events()->mutable_task();
    ViewNote(note, Detail::kBrief, &specs_, task);
    if (note.worker.empty() && note.worker_id && task->attempts_size() > 0) {
      task->mutable_attempts(0)->set_worker(feed_->WorkerName(note.worker_id));
    }
  }
  void Output(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string_view bytes,
              int64_t skipped) override {
    v1::OutputChunk* chunk = response_->add_events()->mutable_output();
    chunk->set_task_id(IdToText(key.task.value()));
    chunk->set_attempt(key.number.value());
    chunk->set_stream(static_cast<v1::OutputStream>(stream));
    chunk->set_offset(offset);
    chunk->set_data(std::string(bytes));
    chunk->set_skipped_bytes(skipped);
    bytes_ += static_cast<int64_t>(bytes.size());
  }

  int64_t bytes() const { return bytes_; }
  bool full() const { return response_->events_size() >= kMostEvents; }

 private:
  const ChangeFeed* const feed_;
  v1::AttachResponse* const response_;
  SpecCache specs_;
  int64_t bytes_ = 0;
};

// --- What the reader says.

void AttachSession::OnRequest(v1::AttachRequest request) {
  if (request.detach()) {
    Close(OutputRelay::Why::kDetached);
    hooks_.finish(absl::OkStatus());
    return;
  }
  AcknowledgeAll(request);
  if (request.selectors_size() == 0) return;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    states_only_ = states_only_ || request.states_only();
    ++attaching_;
  }
  auto held = std::make_shared<v1::AttachRequest>(std::move(request));
  if (!context_->pool.Post([self = shared_from_this(), held] { self->Attach(*held); })) hooks_.finish(PoolIsFull());
}

void AttachSession::OnRequestsEnd() {
  bool over = false;
  {
    absl::MutexLock lock(&mutex_);
    requests_ended_ = true;
    over = IsOver();
  }
  if (over) hooks_.finish(absl::OkStatus());
}

void AttachSession::AcknowledgeAll(const v1::AttachRequest& request) {
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    for (const v1::OutputPosition& position : request.acknowledge()) {
      const auto it = tasks_.find(TaskId(TextToId(position.task_id()).value_or(0)));
      if (it == tasks_.end() || it->second.task->attempt().value() != position.attempt()) continue;
      if (position.stream() != v1::OUTPUT_STREAM_STDOUT && position.stream() != v1::OUTPUT_STREAM_STDERR) continue;
      const auto stream = static_cast<core::OutputStreamKind>(position.stream());
      // What was not sent cannot be done with.
      const int64_t offset = std::min<int64_t>(position.offset(), it->second.task->sent(stream));
      orders.acknowledge.push_back({{it->first, it->second.task->attempt()}, stream, offset});
    }
  }
  CarryOut(orders);
}

void AttachSession::Attach(const v1::AttachRequest& request) {
  const auto attach = [&]() -> absl::Status {
    if (static_cast<size_t>(request.selectors_size()) > context_->deps.limits.selectors) {
      return RefuseField("BAD_SELECTOR", "selectors", absl::StrCat("has more than ", context_->deps.limits.selectors));
    }
    MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> named,
                            context_->selectors.ResolveAll(request.selectors(), Purpose::kRead));
    MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskRange> fresh, AddTasks(named, request));
    context_->feed.Follow(shared_from_this(), fresh);
    return TakeSnapshot(fresh);
  };
  const absl::Status status = attach();
  // The first end counts: said before the reader's last word can be taken for the end of all.
  if (!status.ok()) hooks_.finish(status);
  bool over = false;
  {
    absl::MutexLock lock(&mutex_);
    --attaching_;
    if (status.ok()) counts_.push_back(attached_count_);
    over = IsOver();
    if (closed_) context_->feed.Unfollow(this);  // closed while it was being attached
  }
  if (over) {
    hooks_.finish(absl::OkStatus());
  } else if (status.ok()) {
    hooks_.wake();
  }
}

absl::StatusOr<std::vector<TaskRange>> AttachSession::AddTasks(const std::vector<TaskRange>& ranges,
                                                                const v1::AttachRequest& request) {
  std::vector<TaskRange> fresh;
  TaskSet named;
  uint64_t count = 0;
  absl::MutexLock lock(&mutex_);
  for (const TaskRange& range : ranges) {
    for (const TaskRange& part : named.Missing(range)) {
      for (const TaskRange& rest : attached_.Missing(part)) {
        fresh.push_back(rest);
        count += rest.count;
      }
    }
    named.Add(range);
  }
  const size_t most = context_->deps.limits.attached_tasks;
  if (tasks_.size() + count > most || attached_.range_count() + fresh.size() > most) {
    return RefuseForNow("TOO_MANY_TASKS", absl::StrCat("one reader may attach to ", most, " tasks"),
                        absl::ZeroDuration());
  }
  const std::array<bool, 2> want = {!states_only_, !states_only_};
  for (const TaskRange& range : fresh) {
    attached_.Add(range);
    for (uint64_t i = 0; i < range.count; ++i) {
      const TaskId id(range.first.value() + i);
      tasks_[id].task = std::make_unique<AttachedTask>(id, want);
    }
  }
  attached_count_ += static_cast<int64_t>(count);
  for (const v1::OutputPosition& position : request.resume()) {
    const auto it = tasks_.find(TaskId(TextToId(position.task_id()).value_or(0)));
    if (it == tasks_.end() || position.attempt() == 0 || position.attempt() > kMaxAttemptNumber) continue;
    const auto stream = position.stream() == v1::OUTPUT_STREAM_STDERR ? core::kOutputStreams[1] : core::kOutputStreams[0];
    it->second.task->Resume(AttemptNumber(position.attempt()), stream, position.offset());
  }
  return fresh;
}

absl::Status AttachSession::TakeSnapshot(const std::vector<TaskRange>& ranges) {
  const auto page_size = static_cast<size_t>(context_->deps.limits.page_size);
  std::vector<TaskId> ids;
  for (const TaskRange& range : ranges) {
    for (uint64_t i = 0; i < range.count; ++i) {
      ids.emplace_back(range.first.value() + i);
      if (ids.size() < page_size) continue;
      MUSTER_RETURN_IF_ERROR(TakeSnapshotPage(ids));
      ids.clear();
    }
  }
  return ids.empty() ? absl::OkStatus() : TakeSnapshotPage(ids);
}

absl::Status AttachSession::TakeSnapshotPage(const std::vector<TaskId>& ids) {
  TaskReader reader(context_);
  MUSTER_ASSIGN_OR_RETURN(OpenNotes open, reader.AskOpen(ids));
  absl::flat_hash_map<TaskId, TaskNote*> notes;
  for (TaskNote& note : open.notes) notes.emplace(note.id, &note);
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return absl::OkStatus();
    for (const TaskId id : ids) {
      const auto it = notes.find(id);
      Update(id, &orders, [&](AttachedTask* task) {
        if (it == notes.end()) {
          task->NotOpen();
        } else {
          task->Snapshot(std::move(*it->second), open.turn);
        }
      });
    }
  }
  CarryOut(orders);
  return absl::OkStatus();
}

// --- What happens.

void AttachSession::OnChange(const core::TaskChanged& change, const Stamp& stamp) {
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    TaskNote note = NoteOf(change);
    note.commit = stamp.commit.value();
    Update(change.task, &orders,
           [&](AttachedTask* task) { task->Change(std::move(note), change.report, stamp.turn); });
  }
  orders.wake = false;  // once for the whole turn
  CarryOut(orders);
}

void AttachSession::OnTurn(const Stamp&) { hooks_.wake(); }

void AttachSession::OnOverflow() {
  hooks_.finish(RefuseForNow("READER_TOO_SLOW", "the master could not keep up; attach again to go on", absl::Seconds(1)));
}

void AttachSession::OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                             int64_t skipped) {
  Orders orders;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = tasks_.find(key.task);
    if (closed_ || it == tasks_.end()) return;
    if (held_bytes_ > 0 &&
        held_bytes_ + static_cast<int64_t>(bytes.size()) > context_->deps.limits.reader_bytes) {
      AttachedTask& task = *it->second.task;
      if (!task.stalled()) stalled_.push_back(key.task);
      task.Stall(stream);
      if (task.place() && !task.place()->lossless) orders.hold.push_back({key, stream, 0});
    } else {
      Update(key.task, &orders, [&](AttachedTask* task) { task->Chunk(key.number, stream, offset, bytes, skipped); });
    }
  }
  CarryOut(orders);
}

int64_t AttachSession::WantedOffset(AttemptKey key, core::OutputStreamKind stream) {
  absl::MutexLock lock(&mutex_);
  const auto it = tasks_.find(key.task);
  if (closed_ || it == tasks_.end() || it->second.task->attempt() != key.number) return -1;
  return it->second.task->taken(stream);
}

void AttachSession::Update(TaskId id, Orders* orders, absl::FunctionRef<void(AttachedTask*)> change) {
  const auto it = tasks_.find(id);
  if (closed_ || it == tasks_.end()) return;
  AttachedTask& task = *it->second.task;
  held_bytes_ -= task.held_bytes();
  change(&task);
  if (held_bytes_ > 0 && held_bytes_ + task.held_bytes() > context_->deps.limits.reader_bytes) task.DropReport();
  held_bytes_ += task.held_bytes();
  Advance(&it->second, orders);
}

void AttachSession::Advance(Entry* entry, Orders* orders) {
  AttachedTask& task = *entry->task;
  if (const auto finished = task.TakeFinished()) orders->leave.push_back(*finished);
  if (!entry->ready && task.HasEvents()) {
    entry->ready = true;
    ready_.push_back(task.id());
    orders->wake = true;
  }
  if (!entry->fetching && (task.WantsEnd() || task.WantsReport())) {
    entry->fetching = true;
    fetch_.push_back(task.id());
  }
  orders->fetch = orders->fetch || (!fetching_ && !fetch_.empty() && RoomToFetch());
  const auto live = task.WantsLive();
  if (!live) return;
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    if (task.wants(stream)) orders->subscribe.push_back({*live, stream, task.taken(stream)});
  }
  task.Subscribed();
}

// --- What is sent.

bool AttachSession::Fill(v1::AttachResponse* response) {
  Orders orders;
  Writer writer(&context_->feed, response);
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    const int64_t most = context_->deps.limits.message_bytes;
    while (!ready_.empty() && writer.bytes() < most && !writer.full()) {
      const TaskId id = ready_.front();
      ready_.pop_front();
      SendTask(id, most - writer.bytes(), &writer, &orders);
    }
    // The count comes after what the snapshot had to say.
    while (ready_.empty() && !counts_.empty()) {
      response->add_events()->set_attached_count(counts_.front());
      counts_.pop_front();
    }
    AskStalled(&orders);
    orders.fetch = !fetching_ && !fetch_.empty() && RoomToFetch();
    orders.finish = IsOver();
  }
  orders.wake = false;  // this is the answer to it
  CarryOut(orders);
  return response->events_size() > 0;
}

bool AttachSession::SendTask(TaskId id, int64_t most_bytes, Writer* writer, Orders* orders) {
  const auto it = tasks_.find(id);
  if (it == tasks_.end()) return true;
  it->second.ready = false;
  const bool read_when_sent = requests_ended_;
  Update(id, orders, [&](AttachedTask* task) {
    task->Send(most_bytes, writer);
    const auto& place = task->place();
    if (!read_when_sent || !place || !place->lossless || place->key.number != task->attempt()) return;
    for (const core::OutputStreamKind stream : core::kOutputStreams) {
      orders->acknowledge.push_back({place->key, stream, task->sent(stream)});
    }
  });
  if (!it->second.task->done()) return false;
  held_bytes_ -= it->second.task->held_bytes();
  tasks_.erase(it);
  return true;
}

void AttachSession::AskStalled(Orders* orders) {
  if (stalled_.empty() || held_bytes_ > context_->deps.limits.reader_bytes / 2) return;
  for (const TaskId id : std::exchange(stalled_, {})) {
    const auto it = tasks_.find(id);
    if (it == tasks_.end()) continue;
    AttachedTask& task = *it->second.task;
    for (const core::OutputStreamKind stream : core::kOutputStreams) {
      if (!task.TakeStalled(stream) || !task.place() || task.place()->key.number != task.attempt()) continue;
      orders->subscribe.push_back({*task.place(), stream, task.taken(stream)});
    }
  }
}

bool AttachSession::RoomToFetch() const { return held_bytes_ < context_->deps.limits.reader_bytes / 2; }

bool AttachSession::IsOver() const {
  return requests_ended_ && attaching_ == 0 && tasks_.empty() && counts_.empty() && !closed_;
}

void AttachSession::CarryOut(const Orders& orders) {
  for (const AttemptKey& key : orders.leave) context_->relay.Leave(this, key, OutputRelay::Why::kEnded);
  for (const auto& order : orders.subscribe) {
    context_->relay.Subscribe(shared_from_this(), order.live.worker, order.live.key, order.stream, order.offset,
                              order.live.lossless);
  }
  for (const auto& order : orders.acknowledge) {
    context_->relay.Acknowledge(this, order.key, order.stream, order.offset);
  }
  for (const auto& order : orders.hold) context_->relay.Hold(this, order.key, order.stream);
  if (orders.fetch) Fetch();
  if (orders.finish) hooks_.finish(absl::OkStatus());
  if (orders.wake) hooks_.wake();
}

void AttachSession::Close(OutputRelay::Why why) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    closed_ = true;
    tasks_.clear();
    ready_.clear();
    fetch_.clear();
    held_bytes_ = 0;
  }
  context_->feed.Unfollow(this);
  context_->relay.LeaveAll(this, why);
}

}  // namespace muster::handler
