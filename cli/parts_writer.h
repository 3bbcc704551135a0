// A call whose request goes out in parts, for who waits for its one answer.
//
// Thread rule: Start from one thread; gRPC's threads do the rest. Ownership: lives until `done` has run.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <grpcpp/support/client_callback.h>

namespace muster::cli {

template <typename Request>
class PartsWriter final : public grpc::ClientWriteReactor<Request> {
 public:
  PartsWriter(const std::vector<Request>& parts, std::function<void(grpc::Status)> done) : parts_(parts), done_(std::move(done)) {}

  void Start() {
    WriteNext();
    this->StartCall();
  }

 private:
  void OnWriteDone(bool ok) override {
    if (ok) WriteNext();  // else the server has said its word already
  }
  void OnDone(const grpc::Status& status) override { done_(status); }

  void WriteNext() {
    if (next_ == parts_.size()) return this->StartWritesDone();
    this->StartWrite(&parts_[next_++]);
  }

  const std::vector<Request>& parts_;
  const std::function<void(grpc::Status)> done_;
  size_t next_ = 0;
};

}  // namespace muster::cli
