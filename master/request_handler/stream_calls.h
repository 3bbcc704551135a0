// The reactors of Watch, Logs and Attach: thin ones, which hand messages over and know nothing of what is in them.
//
// A session (watch_session.h, logs_session.h, attach_session.h) says through its hooks that there is something to
// write or that it is over; the outbox asks it to fill a message whenever the last one is on its way.
// Thread rule: gRPC's. Ownership: a stream holds itself until gRPC is done with it; its session may live a little
// longer in the hands of the feed, the relay or a job, and then wakes nobody.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <grpcpp/support/server_callback.h>

#include "common/rpc/outbox.h"
#include "common/rpc/status.h"
#include "master/request_handler/context.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

// Reactor: what gRPC calls. Session: what it is all about.
template <typename Reactor, typename Session, typename Response>
class StreamBase : public Reactor, public StreamCall, public std::enable_shared_from_this<StreamBase<Reactor, Session, Response>> {
 public:
  StreamBase(Context* context, std::string peer)
      : context_(context), peer_(std::move(peer)), outbox_({.start_write = [this](const Response* m) { this->StartWrite(m); },
                                                           .finish = [this](grpc::Status s) { this->Finish(std::move(s)); },
                                                           .fill = [this](Response* m) { return Fill(m); }}) {}

  void Stop(const absl::Status& status) override { outbox_.Finish(rpc::ToGrpc(status)); }

  void OnWriteDone(bool ok) override {
    const auto keep = this->shared_from_this();
    outbox_.OnWriteDone(ok);
  }
  void OnCancel() override {
    const auto keep = this->shared_from_this();
    if (session_ != nullptr) CloseSession();
    outbox_.Abort(grpc::Status(grpc::StatusCode::CANCELLED, "the reader left"));
  }
  void OnDone() override {
    const auto keep = std::move(self_);
    if (session_ != nullptr) CloseSession();
    context_->RemoveStream(this);
  }

 protected:
  // True: the session may start. False: the stream is already over.
  bool Admit() {
    self_ = this->shared_from_this();
    const absl::Status status = context_->AddStream(self_);
    if (!status.ok()) End(status);
    return status.ok();
  }

  typename Session::Hooks MakeHooks() {
    const auto weak = this->weak_from_this();
    return {.wake =
                [weak] {
                  if (const auto self = weak.lock()) self->outbox_.Wake();
                },
            .finish =
                [weak](const absl::Status& status) {
                  if (const auto self = weak.lock()) self->End(status);
                }};
  }

  void End(const absl::Status& status) {
    if (!status.ok()) context_->refusals.Count(status, peer_);
    outbox_.Finish(rpc::ToGrpc(status));
  }

  virtual void CloseSession() = 0;

  Context* const context_;
  std::shared_ptr<Session> session_;  // set before anything is started

 private:
  bool Fill(Response* response) { return session_ != nullptr && session_->Fill(response); }

  const std::string peer_;
  rpc::Outbox<Response> outbox_;
  std::shared_ptr<StreamBase> self_;
};

template <typename Session, typename Request, typename Response>
class ServerStream final : public StreamBase<grpc::ServerWriteReactor<Response>, Session, Response> {
 public:
  using Base = StreamBase<grpc::ServerWriteReactor<Response>, Session, Response>;
  using Base::Base;

  void Begin(const Request& request) {
    this->session_ = std::make_shared<Session>(this->context_, request, this->MakeHooks());
    if (this->Admit()) this->session_->Start();
  }

 private:
  void CloseSession() override { this->session_->Close(); }
};

template <typename Session, typename Request, typename Response>
class BidiStream final : public StreamBase<grpc::ServerBidiReactor<Request, Response>, Session, Response> {
 public:
  using Base = StreamBase<grpc::ServerBidiReactor<Request, Response>, Session, Response>;
  using Base::Base;

  void Begin() {
    this->session_ = std::make_shared<Session>(this->context_, this->MakeHooks());
    if (this->Admit()) this->StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    const auto keep = this->shared_from_this();
    if (!ok) {
      this->session_->OnRequestsEnd();
      return;
    }
    this->session_->OnRequest(std::move(request_));
    request_.Clear();
    this->StartRead(&request_);
  }

 private:
  void CloseSession() override { this->session_->Close(OutputRelay::Why::kGone); }

  Request request_;
};

}  // namespace muster::handler
