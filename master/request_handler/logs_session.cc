#include "master/request_handler/logs_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::handler {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

size_t IndexOf(core::OutputStreamKind stream) { return stream == core::OutputStreamKind::kStdout ? 0 : 1; }

std::array<bool, 2> Wanted(const v1::LogsRequest& request) {
  std::array<bool, 2> want = {request.streams_size() == 0, request.streams_size() == 0};
  for (const int stream : request.streams()) {
    if (stream == v1::OUTPUT_STREAM_STDOUT) want[0] = true;
    if (stream == v1::OUTPUT_STREAM_STDERR) want[1] = true;
  }
  return want;
}

void AddChunk(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string_view bytes, int64_t skipped,
              v1::LogsResponse* response) {
  v1::OutputChunk* chunk = response->add_chunks();
  chunk->set_task_id(IdToText(key.task.value()));
  chunk->set_attempt(key.number.value());
  chunk->set_stream(static_cast<v1::OutputStream>(stream));
  chunk->set_offset(offset);
  chunk->set_data(std::string(bytes));
  chunk->set_skipped_bytes(skipped);
}

bool Wants(const AttachedTask& task) { return task.WantsEnd() || task.WantsReport().has_value(); }

}  // namespace

class LogsSession::Writer final : public AttachedEvents {
 public:
  explicit Writer(v1::LogsResponse* response) : response_(response) {}
  void State(const TaskNote&) override {}
  void Output(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string_view bytes,
              int64_t skipped) override {
    AddChunk(key, stream, offset, bytes, skipped, response_);
  }

 private:
  v1::LogsResponse* const response_;
};

class LogsSession::Collector final : public AttachedEvents {
 public:
  explicit Collector(std::array<TailLines, 2>* tails) : tails_(tails) {}
  void State(const TaskNote&) override {}
  void Output(AttemptKey, core::OutputStreamKind stream, int64_t offset, std::string_view bytes, int64_t) override {
    (*tails_)[IndexOf(stream)].Add(offset, bytes);
  }

 private:
  std::array<TailLines, 2>* const tails_;
};

LogsSession::LogsSession(Context* context, v1::LogsRequest request, Hooks hooks)
    : context_(context), request_(std::move(request)), hooks_(std::move(hooks)), want_(Wanted(request_)) {}

void LogsSession::Start() {
  if (!context_->pool.Post([self = shared_from_this()] { self->Begin(); })) hooks_.finish(PoolIsFull());
}

void LogsSession::Begin() {
  if (request_.tail_lines() < 0) {
    hooks_.finish(RefuseField("BAD_VALUE", "tail_lines", "is negative"));
    return;
  }
  absl::StatusOr<Selection> selection = context_->selectors.Resolve(request_.selector(), Purpose::kRead);
  if (!selection.ok()) {
    hooks_.finish(selection.status());
    return;
  }
  ranges_.assign(selection->ranges.begin(), selection->ranges.end());
  NextTask();
}

void LogsSession::NextTask() {
  absl::Status status;
  if (ranges_.empty()) {
    absl::MutexLock lock(&mutex_);
    status = lost_;
  } else {
    TaskRange& range = ranges_.front();
    const TaskId id = range.first;
    range = {id.Next(), range.count - 1};
    if (range.count == 0) ranges_.pop_front();
    status = OpenTask(id);
    if (status.ok()) {
      {
        absl::MutexLock lock(&mutex_);
        working_ = false;
      }
      Step();
      hooks_.wake();
      return;
    }
  }
  hooks_.finish(status);
}

absl::Status LogsSession::OpenTask(TaskId id) {
  context_->feed.Follow(shared_from_this(), {{id, 1}});
  TaskReader reader(context_);
  MUSTER_ASSIGN_OR_RETURN(OpenNotes open, reader.AskOpen({id}));
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> stored, context_->deps.store->FindTask(id));
  if (!stored) return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK", absl::StrCat("no task ", IdToText(id.value())));
  AttemptNumber newest;
  for (const core::AttemptRow& attempt : stored->attempts) newest = std::max(newest, attempt.key.number);
  if (!open.notes.empty()) newest = std::max(newest, open.notes.front().attempt);
  const AttemptNumber number = request_.attempt() == 0 ? newest : AttemptNumber(request_.attempt());
  if (number > newest) {
    return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_ATTEMPT",
                  absl::StrCat("task ", IdToText(id.value()), " has no attempt ", number.value()));
  }
  const bool over = std::any_of(stored->attempt_ends.begin(), stored->attempt_ends.end(),
                                [number](const core::AttemptEndRow& end) { return end.key.number == number; });
  auto task = std::make_unique<AttachedTask>(id, want_);
  task->StartAt(number);
  for (const v1::OutputPosition& position : request_.resume()) {
    if (TextToId(position.task_id()) != id.value() || position.attempt() != number.value()) continue;
    const auto stream = position.stream() == v1::OUTPUT_STREAM_STDERR ? core::kOutputStreams[1] : core::kOutputStreams[0];
    task->Resume(number, stream, position.offset());
  }
  if (!open.notes.empty() && !stored->outcome) {
    task->Snapshot(std::move(open.notes.front()), open.turn);
  } else {
    task->Ended(NoteOf(*stored), newest);
  }
  const bool live = task->place().has_value();
  {
    absl::MutexLock lock(&mutex_);
    task_ = std::move(task);
    tails_ = {};
    collecting_ = request_.tail_lines() > 0;
    opened_ = last_chunk_ = context_->deps.clock->Now();
    // Nothing is on its way: there is nothing to wait for.
    caught_up_ = !live && !over;
    if (live && !over && (collecting_ || !request_.follow())) StartTicking();
  }
  if (over) FetchReport(id, number);
  return absl::OkStatus();
}

void LogsSession::FetchReport(TaskId id, AttemptNumber number) {
  absl::StatusOr<AttemptReportPtr> report = context_->deps.store->FindReport({id, number});
  if (!report.ok() && !absl::IsNotFound(report.status())) {
    hooks_.finish(report.status());
    return;
  }
  const AttemptReportPtr held = report.ok() ? *report : nullptr;
  const absl::Status lost = held == nullptr ? LostOutput(id, number) : absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  if (!lost.ok()) lost_ = lost;
  if (task_ != nullptr) task_->Fetched(number, held);
}

absl::Status LogsSession::LostOutput(TaskId id, AttemptNumber number) {
  const auto stored = context_->deps.store->FindTask(id);
  if (!stored.ok() || !stored->has_value()) return absl::OkStatus();
  EndReason reason = EndReason::kNone;
  for (const core::AttemptEndRow& end : (*stored)->attempt_ends) {
    if (end.key.number == number) reason = end.reason;
  }
  if ((*stored)->outcome && (*stored)->outcome->attempt == number) reason = (*stored)->outcome->reason;
  if (reason != EndReason::kLost) return absl::OkStatus();
  std::string worker;
  for (const core::AttemptRow& attempt : (*stored)->attempts) {
    if (attempt.key.number == number) worker = attempt.worker;
  }
  return Refuse(absl::StatusCode::kDataLoss, "OUTPUT_LOST",
                absl::StrCat("the output of attempt ", number.value(), " was lost with worker ", worker));
}

// --- What happens.

void LogsSession::OnChange(const core::TaskChanged& change, const Stamp& stamp) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || task_ == nullptr || task_->id() != change.task) return;
    task_->Change(NoteOf(change), change.report, stamp.turn);
  }
  Step();
}

void LogsSession::OnOverflow() {
  hooks_.finish(RefuseForNow("READER_TOO_SLOW", "the master could not keep up; begin again", absl::Seconds(1)));
}

void LogsSession::OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, const std::string& bytes,
                           int64_t skipped) {
  bool hold = false;
  bool taken = false;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || task_ == nullptr || task_->id() != key.task) return;
    hold = task_->held_bytes() > 0 && task_->held_bytes() + static_cast<int64_t>(bytes.size()) >
                                          context_->deps.limits.reader_bytes;
    if (hold) {
      task_->Stall(stream);
    } else {
      taken = task_->Chunk(key.number, stream, offset, bytes, skipped);
      last_chunk_ = context_->deps.clock->Now();
    }
  }
  if (hold) context_->relay.Hold(this, key, stream);
  if (taken) hooks_.wake();
}

int64_t LogsSession::WantedOffset(AttemptKey key, core::OutputStreamKind stream) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || task_ == nullptr || task_->id() != key.task || task_->attempt() != key.number) return -1;
  return task_->taken(stream);
}

void LogsSession::StartTicking() {
  ticking_ = true;
  timer_.Start(kTick, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Tick();
  });
}

void LogsSession::Tick() {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || task_ == nullptr || caught_up_) {
      ticking_ = false;
      return;
    }
    const absl::Time now = context_->deps.clock->Now();
    caught_up_ = now - last_chunk_ >= kQuiet || now - opened_ >= kLongest;
    if (!caught_up_) StartTicking();
  }
  hooks_.wake();
}

void LogsSession::Step() {
  std::optional<AttachedTask::Live> live;
  std::optional<AttemptKey> finished;
  std::array<bool, 2> subscribe{};
  std::array<int64_t, 2> offsets{};
  std::optional<AttemptNumber> fetch;
  TaskId id;
  bool next = false;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || task_ == nullptr || working_) return;
    id = task_->id();
    finished = task_->TakeFinished();
    live = task_->WantsLive();
    if (live) {
      subscribe = want_;
      task_->Subscribed();
    } else if (task_->stalled() && task_->held_bytes() < context_->deps.limits.reader_bytes / 2) {
      live = task_->place();
      for (const core::OutputStreamKind stream : core::kOutputStreams) subscribe[IndexOf(stream)] = task_->TakeStalled(stream);
    }
    for (const core::OutputStreamKind stream : core::kOutputStreams) offsets[IndexOf(stream)] = task_->taken(stream);
    fetch = task_->WantsReport();
    next = !fetch && IsOver();
    working_ = next || fetch.has_value();
    if (next) {
      if (const auto unfinished = task_->place(); unfinished && !finished) finished = unfinished->key;
      task_ = nullptr;
    }
  }
  if (finished) context_->relay.Leave(this, *finished, OutputRelay::Why::kGone);
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    if (!live || next || !subscribe[IndexOf(stream)]) continue;
    context_->relay.Subscribe(shared_from_this(), live->worker, live->key, stream, offsets[IndexOf(stream)], false);
  }
  if (!fetch && !next) return;
  const bool posted = context_->pool.PostAlways([self = shared_from_this(), id, fetch] {
    if (!fetch) {
      self->context_->feed.Unfollow(self.get());
      self->NextTask();
      return;
    }
    self->FetchReport(id, *fetch);
    {
      absl::MutexLock lock(&self->mutex_);
      self->working_ = false;
    }
    self->Step();
    self->hooks_.wake();
  });
  if (!posted) hooks_.finish(PoolIsFull());
}

// --- What is sent.

bool LogsSession::AttemptIsShown() const {
  const bool passed = request_.attempt() != 0 && task_->attempt().value() > request_.attempt();
  return task_->done() || passed || task_->attempt_is_over();
}

bool LogsSession::IsOver() const {
  if (Wants(*task_) || collecting_) return false;
  if (task_->done()) return true;
  const bool one_only = request_.attempt() != 0 || !request_.follow();
  if (one_only && AttemptIsShown()) return true;
  return !request_.follow() && caught_up_ && !task_->HasEvents();
}

bool LogsSession::Fill(v1::LogsResponse* response) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || task_ == nullptr) return false;
    const int64_t most = context_->deps.limits.message_bytes;
    if (collecting_) {
      Collector collector(&tails_);
      task_->Send(static_cast<int64_t>(TailLines::kMostBytes) * 4, &collector);
      const bool more = task_->HasEvents() || Wants(*task_);
      if (!more && (caught_up_ || AttemptIsShown())) FlushTail(response);
    } else {
      Writer writer(response);
      task_->Send(most, &writer);
    }
  }
  Step();
  if (response->chunks_size() > 0) return true;
  bool again = false;
  {
    absl::MutexLock lock(&mutex_);
    again = !closed_ && task_ != nullptr && collecting_ && task_->HasEvents();
  }
  if (again) hooks_.wake();
  return false;
}

void LogsSession::FlushTail(v1::LogsResponse* response) {
  collecting_ = false;
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    TailLines& tail = tails_[IndexOf(stream)];
    const std::string_view last = tail.Last(request_.tail_lines());
    if (!last.empty()) AddChunk({task_->id(), task_->attempt()}, stream, tail.OffsetOf(last), last, 0, response);
    tail.Clear();
  }
}

void LogsSession::Close() {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    closed_ = true;
    task_ = nullptr;
    timer_.Cancel();
  }
  context_->feed.Unfollow(this);
  context_->relay.LeaveAll(this, OutputRelay::Why::kGone);
}

}  // namespace muster::handler
