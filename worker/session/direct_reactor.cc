#include "worker/session/direct_reactor.h"

#include <algorithm>

#include "common/base/utf8.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "worker/session/attempt_work.h"

namespace muster::worker {
namespace {

constexpr int64_t kNothing = -1;

}  // namespace

DirectReactor::DirectReactor(uint64_t direct, const DirectPorts* ports, std::function<void(uint64_t)> done)
    : direct_(direct),
      ports_(ports),
      done_(std::move(done)),
      outbox_({.start_write = [this](const v1::ExecuteResponse* response) { StartWrite(response); },
               .finish = [this](grpc::Status status) { Finish(std::move(status)); }}) {}

void DirectReactor::Started() {
  v1::ExecuteResponse response;
  response.set_started(DirectName(direct_));
  Push(std::move(response), plugin::Stream::kStdout, kNothing);
}

void DirectReactor::Output(OutputPiece piece) {
  v1::ExecuteResponse response;
  v1::OutputChunk* chunk = response.mutable_output();
  chunk->set_task_id(DirectName(direct_));
  chunk->set_attempt(piece.key.number.value());
  chunk->set_stream(static_cast<v1::OutputStream>(piece.stream));
  chunk->set_offset(piece.offset);
  chunk->set_skipped_bytes(piece.skipped);
  const int64_t end = piece.offset + static_cast<int64_t>(piece.bytes.size());
  next_[piece.stream] = end;
  chunk->set_data(std::move(piece.bytes));
  Push(std::move(response), piece.stream, end);
}

void DirectReactor::SendRest(AttemptKey key, plugin::Stream stream, const RetainedOutput& output) {
  const auto send = [&](int64_t offset, const std::string& bytes) {
    const int64_t next = next_[stream];
    const int64_t end = offset + static_cast<int64_t>(bytes.size());
    if (end <= next) return;
    const int64_t from = std::max(offset, next);
    Output({.key = key,
            .stream = stream,
            .offset = from,
            .bytes = bytes.substr(static_cast<size_t>(from - offset)),
            .skipped = from - next});
  };
  send(0, output.head);
  send(output.tail_offset, output.tail);
}

void DirectReactor::Ended(const AttemptReport& report) {
  SendRest(report.key, plugin::Stream::kStdout, report.stdout_output);
  SendRest(report.key, plugin::Stream::kStderr, report.stderr_output);
  v1::AttemptResult result;
  convert::ToProto(report, &result);
  result.mutable_end()->set_message(ToUtf8(report.end.message));
  v1::ExecuteResponse response;
  response.mutable_end()->Swap(result.mutable_end());
  Push(std::move(response), plugin::Stream::kStdout, kNothing);
  outbox_.Finish(grpc::Status::OK);
}

void DirectReactor::Refuse(const absl::Status& status) { outbox_.Finish(rpc::ToGrpc(status)); }

void DirectReactor::Push(v1::ExecuteResponse response, plugin::Stream stream, int64_t end_offset) {
  const size_t bytes = response.ByteSizeLong();
  {
    absl::MutexLock lock(&mutex_);
    sent_.emplace_back(stream, end_offset);
  }
  // What waits is bounded by the host's window, which our acknowledgements move.
  outbox_.Push(std::move(response), bytes);
}

void DirectReactor::OnWriteDone(bool ok) {
  std::pair<plugin::Stream, int64_t> done{plugin::Stream::kStdout, kNothing};
  {
    absl::MutexLock lock(&mutex_);
    if (!sent_.empty()) {
      done = sent_.front();
      sent_.pop_front();
    }
  }
  if (ok && done.second > 0) ports_->acknowledge(DirectKey(direct_), done.first, done.second);
  outbox_.OnWriteDone(ok);
}

void DirectReactor::OnCancel() {
  ports_->stop(DirectKey(direct_));
  outbox_.Abort(grpc::Status::CANCELLED);
}

void DirectReactor::OnDone() {
  const std::shared_ptr<DirectReactor> self = std::move(self_);  // may be the last
  done_(direct_);
}

std::shared_ptr<DirectReactor> DirectCalls::Open(uint64_t* direct) {
  absl::MutexLock lock(&mutex_);
  if (calls_.size() >= kMostCalls) return nullptr;
  *direct = ++numbers_;
  auto call = std::make_shared<DirectReactor>(*direct, &ports_, [this](uint64_t number) {
    absl::MutexLock done(&mutex_);
    calls_.erase(number);
  });
  call->Begin();
  calls_.emplace(*direct, call);
  return call;
}

std::shared_ptr<DirectReactor> DirectCalls::Find(uint64_t direct) const {
  absl::MutexLock lock(&mutex_);
  const auto it = calls_.find(direct);
  return it == calls_.end() ? nullptr : it->second;
}

}  // namespace muster::worker
