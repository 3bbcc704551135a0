// The common part of our server-streaming calls: messages in, one write at a time, one end.
//
//   auto stream = std::make_shared<DrainStream>(...);   // class DrainStream : public ServerStream<v1::...Response>
//   stream->Keep();                                     // lives until gRPC is done with it
//   return stream.get();
//
// Thread rule: any thread. Ownership: by itself from Keep to OnDone, and by whoever else holds the pointer.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "common/rpc/outbox.h"
#include "common/rpc/status.h"

namespace muster::handler {

// What all streams have in common for the one who ends them when the master stops.
class StreamEnd {
 public:
  virtual ~StreamEnd() = default;
  // After what was pushed. The first end counts.
  virtual void End(const absl::Status& status) = 0;
};

template <typename Response>
class ServerStream : public grpc::ServerWriteReactor<Response>,
                     public StreamEnd,
                     public std::enable_shared_from_this<ServerStream<Response>> {
 public:
  ServerStream()
      : outbox_({.start_write = [this](const Response* message) { this->StartWrite(message); },
                 .finish = [this](grpc::Status status) { grpc::ServerWriteReactor<Response>::Finish(status); }}) {}

  void Keep() { self_ = this->shared_from_this(); }

  // False: the reader is too slow or gone; the message is dropped.
  bool Push(Response message) {
    const size_t bytes = message.ByteSizeLong();
    return outbox_.Push(std::move(message), bytes);
  }

  void End(const absl::Status& status) final {
    over_ = true;
    outbox_.Finish(rpc::ToGrpc(status));
  }

  // Ended, or the client left: nothing that is pushed arrives any more.
  bool over() const { return over_; }

 protected:
  virtual void OnWritten() {}

 private:
  void OnWriteDone(bool ok) final {
    outbox_.OnWriteDone(ok);
    if (ok) {
      OnWritten();
    } else {
      Abort();
    }
  }
  void OnCancel() final { Abort(); }
  void OnDone() final { const std::shared_ptr<ServerStream> self = std::move(self_); }

  void Abort() {
    over_ = true;
    outbox_.Abort(grpc::Status(grpc::StatusCode::CANCELLED, "the client left"));
  }

  std::atomic<bool> over_{false};
  rpc::Outbox<Response> outbox_;
  std::shared_ptr<ServerStream> self_;
};

}  // namespace muster::handler
