// A worker for tests: a real gRPC server on a port of its own that serves the dispatch session and does what the test
// says. It remembers every message of the master.
//
//   FakeWorker worker;                       // serves
//   worker.AnswerHello(Incarnation(7));      // says Hello as soon as a session opens
//   worker.FinishEverything();               // and ends each assignment with exit code 0
//   worker.Say(response);                    // on the newest session
//   worker.Await([&] { return worker.assigned() == 10; });
//
// Thread rule: any thread. Waits poll a condition with a deadline, and never sleep.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/rpc/outbox.h"
#include "muster/v1/worker_service.grpc.pb.h"

namespace muster::test {

class FakeWorker final : public v1::WorkerService::CallbackService {
  class Stream;

 public:
  explicit FakeWorker(int max_message_bytes = 4 << 20,
                      const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.SetMaxReceiveMessageSize(max_message_bytes);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeWorker() override { Stop(); }

  void Stop() {
    if (server_ == nullptr) return;
    EndSessions();
    server_->Shutdown(absl::ToChronoTime(absl::Now() + absl::Seconds(1)));
    server_->Wait();
    server_.reset();
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  void AnswerHello(Incarnation incarnation) {
    absl::MutexLock lock(&mutex_);
    incarnation_ = incarnation;
  }
  void FinishEverything() {
    absl::MutexLock lock(&mutex_);
    finish_ = true;
  }

  // False: there is no session.
  bool Say(const v1::SessionResponse& response) {
    std::shared_ptr<Stream> session;
    {
      absl::MutexLock lock(&mutex_);
      if (!sessions_.empty()) session = sessions_.back().lock();
    }
    return session != nullptr && session->Push(response);
  }

  void EndSessions() {
    for (const std::shared_ptr<Stream>& session : Sessions()) session->End();
  }

  // --- What the master said.
  std::vector<v1::SessionRequest> messages() const {
    absl::MutexLock lock(&mutex_);
    return messages_;
  }
  int assigned() const {
    absl::MutexLock lock(&mutex_);
    return assigned_;
  }
  int acknowledged() const {
    absl::MutexLock lock(&mutex_);
    return acknowledged_;
  }
  int opened() const {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(sessions_.size());
  }

  // Whether `done` became true within 10 s; asked after every message of the master.
  bool Await(const std::function<bool()>& done) const {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!done()) {
      if (absl::Now() > deadline) return false;
      absl::MutexLock lock(&mutex_);
      changed_.WaitWithTimeout(&mutex_, absl::Milliseconds(5));
    }
    return true;
  }

  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(grpc::CallbackServerContext*) override {
    auto session = std::make_shared<Stream>(this);
    {
      absl::MutexLock lock(&mutex_);
      sessions_.push_back(session);
    }
    session->Begin();
    return session.get();
  }

 private:
  class Stream final : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>,
                        public std::enable_shared_from_this<Stream> {
   public:
    explicit Stream(FakeWorker* worker)
        : worker_(worker),
          outbox_({.start_write = [this](const v1::SessionResponse* message) { StartWrite(message); },
                   .finish = [this](grpc::Status status) { Finish(std::move(status)); }}) {}

    void Begin() {
      self_ = shared_from_this();
      StartRead(&request_);
    }
    bool Push(v1::SessionResponse message) {
      const size_t bytes = message.ByteSizeLong();
      return outbox_.Push(std::move(message), bytes);
    }
    void End() { outbox_.Finish(grpc::Status::OK); }

   private:
    void OnReadDone(bool ok) override {
      if (!ok) {
        End();
        return;
      }
      worker_->Take(request_, this);
      StartRead(&request_);
    }
    void OnWriteDone(bool ok) override { outbox_.OnWriteDone(ok); }
    void OnCancel() override { outbox_.Abort(grpc::Status::CANCELLED); }
    void OnDone() override { const auto self = std::move(self_); }

    FakeWorker* const worker_;
    rpc::Outbox<v1::SessionResponse> outbox_;
    v1::SessionRequest request_;
    std::shared_ptr<Stream> self_;
  };

  std::vector<std::shared_ptr<Stream>> Sessions() {
    absl::MutexLock lock(&mutex_);
    std::vector<std::shared_ptr<Stream>> sessions;
    for (const auto& weak : sessions_) {
      if (auto session = weak.lock()) sessions.push_back(std::move(session));
    }
    return sessions;
  }

  void Take(const v1::SessionRequest& request, Stream* session) {
    v1::SessionResponse response;
    bool speak = false;
    {
      absl::MutexLock lock(&mutex_);
      messages_.push_back(request);
      assigned_ += request.assignments_size();
      acknowledged_ += request.acknowledge_size();
      if (request.has_open() && incarnation_) {
        response.mutable_hello()->set_incarnation(incarnation_.value());
        speak = true;
      }
      for (const v1::Assignment& assignment : request.assignments()) {
        if (!finish_) break;
        *response.add_started()->mutable_key() = assignment.key();
        v1::AttemptResult* result = response.add_results();
        *result->mutable_key() = assignment.key();
        result->mutable_end()->set_reason(v1::END_REASON_EXITED);
        result->set_started(true);
        speak = true;
      }
      changed_.SignalAll();
    }
    if (speak) session->Push(std::move(response));
  }

  int port_ = 0;
  mutable absl::Mutex mutex_;
  mutable absl::CondVar changed_;
  Incarnation incarnation_ ABSL_GUARDED_BY(mutex_);
  bool finish_ ABSL_GUARDED_BY(mutex_) = false;
  int assigned_ ABSL_GUARDED_BY(mutex_) = 0;
  int acknowledged_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::SessionRequest> messages_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<Stream>> sessions_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace muster::test
