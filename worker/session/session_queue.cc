#include "worker/session/session_queue.h"

#include <algorithm>

#include "common/base/utf8.h"
#include "common/convert/convert.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

constexpr size_t kItemBytes = 64;  // of a message around its content, about

size_t SizeOf(const RetainedOutput& output) { return output.head.size() + output.tail.size(); }

const char* SeverityName(plugin::Severity severity) {
  switch (severity) {
    case plugin::Severity::kDebug: return "DEBUG";
    case plugin::Severity::kInfo: return "INFO";
    case plugin::Severity::kWarning: return "WARNING";
    case plugin::Severity::kError: return "ERROR";
  }
  return "INFO";
}

void Write(OutputPiece piece, v1::SessionResponse* message) {
  v1::AttemptOutput* output = message->add_output();
  convert::ToProto(piece.key, output->mutable_key());
  output->set_stream(static_cast<v1::OutputStream>(piece.stream));
  output->set_offset(piece.offset);
  output->set_data(std::move(piece.bytes));
  output->set_skipped_bytes(piece.skipped);
}

void Write(const LogLine& line, v1::SessionResponse* message) {
  v1::AttemptLog* log = message->add_logs();
  convert::ToProto(line.key, log->mutable_key());
  convert::ToProto(line.time, log->mutable_time());
  log->set_severity(SeverityName(line.severity));
  log->set_message(ToUtf8(line.message));
  for (const auto& [key, value] : line.fields) {
    v1::Label* field = log->add_fields();
    field->set_key(ToUtf8(key));
    field->set_value(ToUtf8(value));
  }
}

}  // namespace

void SessionQueue::SetHello(Incarnation incarnation, SendHello hello) {
  absl::MutexLock lock(&mutex_);
  first_ = [incarnation, hello = std::move(hello)](v1::SessionResponse* message) {
    v1::Hello* out = message->mutable_hello();
    out->set_incarnation(incarnation.value());
    for (const auto& [key, phase] : hello.held) {
      v1::HeldAttempt* held = out->add_held();
      convert::ToProto(key, held->mutable_key());
      held->set_phase(static_cast<v1::HeldAttempt::Phase>(phase));
    }
  };
}

void SessionQueue::SetRefusal(std::string reason) {
  absl::MutexLock lock(&mutex_);
  if (greeted_) return;
  first_ = [reason = std::move(reason)](v1::SessionResponse* message) {
    message->mutable_hello()->set_refused_because(reason);
  };
}

void SessionQueue::AddStarted(AttemptKey key, absl::Time time, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  started_[key] = time;
  due_ = std::min(due_, due);
}

void SessionQueue::AddValidating(AttemptKey key, absl::Time time) {
  absl::MutexLock lock(&mutex_);
  Add({SendValidating{.key = key, .time = time}, kItemBytes}, absl::InfinitePast());
}

void SessionQueue::AddResult(AttemptReportPtr report, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  started_.erase(report->key);
  const size_t bytes =
      kItemBytes + SizeOf(report->stdout_output) + SizeOf(report->stderr_output) + BytesOf(report->outputs);
  Add({std::move(report), bytes}, due);
}

void SessionQueue::AddGivenBack(AttemptKey key) {
  absl::MutexLock lock(&mutex_);
  Add({key, kItemBytes}, absl::InfinitePast());
}

void SessionQueue::AddRefusal(AttemptKey key, std::string reason) {
  absl::MutexLock lock(&mutex_);
  const size_t bytes = kItemBytes + reason.size();
  Add({SendRefusal{.key = key, .reason = std::move(reason)}, bytes}, absl::InfinitePast());
}

bool SessionQueue::AddOutput(OutputPiece piece, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  if (output_bytes_ > 0 && output_bytes_ + piece.bytes.size() > limits_.output_limit_bytes) return false;
  output_bytes_ += piece.bytes.size();
  const size_t bytes = kItemBytes + piece.bytes.size();
  Add({std::move(piece), bytes}, due);
  return true;
}

void SessionQueue::AddLog(LogLine line, absl::Time due) {
  absl::MutexLock lock(&mutex_);
  if (log_lines_ >= limits_.log_limit_lines) {
    ++dropped_log_lines_;
    return;
  }
  ++log_lines_;
  size_t bytes = kItemBytes + line.message.size();
  for (const auto& [key, value] : line.fields) bytes += key.size() + value.size();
  Add({std::move(line), bytes}, due);
}

void SessionQueue::Add(Item item, absl::Time due) {
  bytes_ += item.bytes;
  items_.push_back(std::move(item));
  due_ = std::min(due_, due);
  if (bytes_ >= limits_.eager_bytes || items_.size() >= limits_.eager_items) due_ = absl::InfinitePast();
}

bool SessionQueue::Fill(v1::SessionResponse* message, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (!greeted_) {
    if (!first_) return false;
    first_(message);
    first_ = nullptr;
    greeted_ = true;
    return true;
  }
  if (due_ > now || Empty()) return false;
  for (const auto& [key, time] : started_) {
    v1::AttemptStart* started = message->add_started();
    convert::ToProto(key, started->mutable_key());
    convert::ToProto(time, started->mutable_time());
  }
  started_.clear();
  size_t bytes = 0;
  size_t count = 0;
  while (!items_.empty() && count < limits_.message_items && bytes < limits_.message_bytes) {
    Item& next = items_.front();
    if (count > 0 && bytes + next.bytes > limits_.largest_message_bytes) break;
    bytes += next.bytes;
    bytes_ -= next.bytes;
    ++count;
    Put(std::move(next), message);
    items_.pop_front();
  }
  if (items_.empty()) due_ = absl::InfiniteFuture();
  return true;
}

void SessionQueue::Put(Item item, v1::SessionResponse* message) {
  if (auto* output = std::get_if<OutputPiece>(&item.what)) {
    output_bytes_ -= output->bytes.size();
    Write(std::move(*output), message);
  } else if (const auto* validating = std::get_if<SendValidating>(&item.what)) {
    v1::AttemptStart* start = message->add_validating();
    convert::ToProto(validating->key, start->mutable_key());
    convert::ToProto(validating->time, start->mutable_time());
  } else if (const auto* report = std::get_if<AttemptReportPtr>(&item.what)) {
    v1::AttemptResult* result = message->add_results();
    convert::ToProto(**report, result);
    result->mutable_end()->set_message(ToUtf8((*report)->end.message));
  } else if (const auto* key = std::get_if<AttemptKey>(&item.what)) {
    convert::ToProto(*key, message->add_given_back());
  } else if (auto* refusal = std::get_if<SendRefusal>(&item.what)) {
    v1::Refusal* out = message->add_refused();
    convert::ToProto(refusal->key, out->mutable_key());
    out->set_reason(ToUtf8(std::move(refusal->reason)));
  } else if (const auto* line = std::get_if<LogLine>(&item.what)) {
    --log_lines_;
    Write(*line, message);
  }
}

absl::Time SessionQueue::DueAt() const {
  absl::MutexLock lock(&mutex_);
  return greeted_ && !Empty() ? due_ : absl::InfiniteFuture();
}

bool SessionQueue::HasOutputRoom() const {
  absl::MutexLock lock(&mutex_);
  return output_bytes_ <= limits_.output_limit_bytes / 2;
}

uint64_t SessionQueue::dropped_log_lines() const {
  absl::MutexLock lock(&mutex_);
  return dropped_log_lines_;
}

}  // namespace muster::worker
