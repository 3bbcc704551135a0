#include "master/request_handler/attached_task.h"

#include <algorithm>

namespace muster::handler {
void AttachedTask::Resume(AttemptNumber number, core::OutputStreamKind stream, int64_t offset) {
  if (number < attempt_ || offset < 0) return;
  StartAt(number);
  SkipTo(stream, offset);
}

void AttachedTask::StartAt(AttemptNumber number) {
  if (number <= attempt_) return;
  attempt_ = number;
  taken_ = {};
  sent_ = {};
  fetched_ = false;
  report_ = nullptr;
  report_bytes_ = 0;
}

void AttachedTask::SkipTo(core::OutputStreamKind stream, int64_t offset) {
  taken_[Index(stream)] = std::max(taken_[Index(stream)], offset);
  sent_[Index(stream)] = std::max(sent_[Index(stream)], offset);
}

void AttachedTask::Snapshot(TaskNote note, uint64_t turn) {
  if (has_snapshot_ || change_turn_ > turn) return;
  has_snapshot_ = true;
  snapshot_turn_ = turn;
  Learn(std::move(note));
}

void AttachedTask::NotOpen() {
  if (end_ == nullptr) wants_end_ = true;
}

void AttachedTask::Change(TaskNote note, AttemptReportPtr report, uint64_t turn) {
  if (has_snapshot_ && turn <= snapshot_turn_) return;
  change_turn_ = turn;
  const AttemptNumber attempt = note.attempt;
  const bool last = note.terminal();
  if (report != nullptr) {
    const AttemptNumber reported = report->key.number;
    Fetched(reported, std::move(report));
  } else if (last && place_ && place_->key.number == attempt) {
    Fetched(attempt, nullptr);  // it ran to the end of the task and reported nothing
  }
  Learn(std::move(note));
}

void AttachedTask::Ended(TaskNote note, AttemptNumber newest) {
  newest_ = std::max(newest_, newest);
  Learn(std::move(note));
}

void AttachedTask::Fetched(AttemptNumber number, AttemptReportPtr report) {
  if (number != attempt_ || fetched_ || done_) return;
  fetched_ = true;
  if (report != nullptr && wants_output()) Hold(std::move(report));
}

void AttachedTask::Hold(AttemptReportPtr report) {
  report_ = std::move(report);
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    if (!want_[Index(stream)]) continue;
    const RetainedOutput& output = Retained(stream);
    report_bytes_ += static_cast<int64_t>(output.head.size() + output.tail.size());
  }
  // What never comes now need not be waited for.
  if (!RetainedIsLeft(core::kOutputStreams[0]) && !RetainedIsLeft(core::kOutputStreams[1])) {
    report_ = nullptr;
    report_bytes_ = 0;
  }
}

void AttachedTask::DropReport() {
  if (report_ == nullptr) return;
  report_ = nullptr;
  report_bytes_ = 0;
  fetched_ = false;
}

void AttachedTask::Learn(TaskNote note) {
  if (end_ != nullptr || done_) return;
  newest_ = std::max(newest_, note.attempt);
  place_.reset();
  if (note.terminal()) {
    end_ = std::make_unique<TaskNote>(std::move(note));
    state_ = nullptr;
    return;
  }
  if (note.state == TaskState::kRunning || note.state == TaskState::kValidating) {
    place_ = Live{note.worker_id, {id_, note.attempt}, note.spec != nullptr && note.spec->lossless_output};
  }
  state_ = std::make_unique<TaskNote>(std::move(note));
}

bool AttachedTask::Chunk(AttemptNumber number, core::OutputStreamKind stream, int64_t offset, std::string_view bytes,
                         int64_t skipped) {
  int64_t& taken = taken_[Index(stream)];
  if (number != attempt_ || fetched_ || done_ || !want_[Index(stream)]) return false;
  const int64_t end = offset + static_cast<int64_t>(bytes.size());
  if (offset < 0 || skipped < 0 || offset - skipped > taken || end <= taken) return false;
  const int64_t had = std::max<int64_t>(0, taken - offset);
  pieces_.push_back({.stream = stream,
                     .offset = offset + had,
                     .bytes = std::string(bytes.substr(static_cast<size_t>(had))),
                     .skipped = std::max<int64_t>(0, offset - taken)});
  piece_bytes_ += static_cast<int64_t>(pieces_.back().bytes.size());
  taken = end;
  return true;
}

const RetainedOutput& AttachedTask::Retained(core::OutputStreamKind stream) const {
  return stream == core::OutputStreamKind::kStdout ? report_->stdout_output : report_->stderr_output;
}

bool AttachedTask::RetainedIsLeft(core::OutputStreamKind stream) const {
  return report_ != nullptr && want_[Index(stream)] && taken_[Index(stream)] < Retained(stream).total_bytes;
}

bool AttachedTask::StateIsDue() const {
  // The news of an attempt comes after the output of those before it.
  return state_ != nullptr && (!wants_output() || state_->attempt <= attempt_);
}

bool AttachedTask::HasEvents() const {
  if (done_) return false;
  if (StateIsDue() || !pieces_.empty() || report_ != nullptr) return true;
  if (AttemptIsOver() && newest_ > attempt_) return true;
  return end_ != nullptr && OutputIsOver();
}

void AttachedTask::Send(int64_t most_bytes, AttachedEvents* events) {
  int64_t used = 0;
  while (used < most_bytes && !done_) {
    if (StateIsDue()) {
      events->State(*state_);
      state_ = nullptr;
    } else if (!pieces_.empty()) {
      used += SendPiece(events);
    } else if (report_ != nullptr) {
      used += SendRetained(most_bytes - used, events);
    } else if (AttemptIsOver() && newest_ > attempt_) {
      NextAttempt();
    } else if (end_ != nullptr && OutputIsOver()) {
      events->State(*end_);
      done_ = true;
    } else {
      return;
    }
  }
}

void AttachedTask::NextAttempt() { StartAt(attempt_.Next()); }

int64_t AttachedTask::SendPiece(AttachedEvents* events) {
  const Piece& piece = pieces_.front();
  const auto size = static_cast<int64_t>(piece.bytes.size());
  events->Output({id_, attempt_}, piece.stream, piece.offset, piece.bytes, piece.skipped);
  sent_[Index(piece.stream)] = piece.offset + size;
  piece_bytes_ -= size;
  pieces_.pop_front();
  return size;
}

int64_t AttachedTask::SendRetained(int64_t most_bytes, AttachedEvents* events) {
  for (const core::OutputStreamKind stream : core::kOutputStreams) {
    if (!RetainedIsLeft(stream)) continue;
    const RetainedOutput& output = Retained(stream);
    const int64_t from = sent_[Index(stream)];
    int64_t offset = from;
    std::string_view bytes;
    if (from < static_cast<int64_t>(output.head.size())) {
      bytes = std::string_view(output.head).substr(static_cast<size_t>(from));
    } else {
      offset = std::max(from, output.tail.empty() ? output.total_bytes : output.tail_offset);
      const auto in_tail = static_cast<size_t>(offset - output.tail_offset);
      if (!output.tail.empty() && in_tail < output.tail.size()) bytes = std::string_view(output.tail).substr(in_tail);
      if (bytes.empty()) offset = output.total_bytes;  // the rest was not kept
    }
    bytes = bytes.substr(0, static_cast<size_t>(most_bytes));
    events->Output({id_, attempt_}, stream, offset, bytes, offset - from);
    taken_[Index(stream)] = sent_[Index(stream)] = offset + static_cast<int64_t>(bytes.size());
    return static_cast<int64_t>(bytes.size());
  }
  report_ = nullptr;
  report_bytes_ = 0;
  return 0;
}

std::optional<AttemptNumber> AttachedTask::WantsReport() const {
  if (done_ || fetched_ || !wants_output() || newest_ < attempt_) return std::nullopt;
  if (newest_ == attempt_ && end_ == nullptr) return std::nullopt;
  return attempt_;
}

std::optional<AttachedTask::Live> AttachedTask::WantsLive() const {
  if (!place_ || place_->key.number != attempt_ || subscribed_ == attempt_ || fetched_ || done_ || !wants_output()) {
    return std::nullopt;
  }
  return place_;
}

std::optional<AttemptKey> AttachedTask::TakeFinished() {
  if (!subscribed_ || (subscribed_ == attempt_ && !fetched_ && !done_)) return std::nullopt;
  return AttemptKey{id_, std::exchange(subscribed_, AttemptNumber())};
}

}  // namespace muster::handler
