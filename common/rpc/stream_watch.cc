#include "common/rpc/stream_watch.h"

#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/server_context.h>

namespace muster::rpc {
namespace {

using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

// What is open. An entry leaves in its destructor, on whatever thread: also inside of TryCancel, on the thread that asks,
// which is why that thread may lock again what it has locked.
class OpenStreams {
 public:
  class Entry final : public grpc::experimental::Interceptor {
   public:
    Entry(std::shared_ptr<OpenStreams> streams, ServerRpcInfo* info)
        : streams_(std::move(streams)), context_(info->server_context()), method_(info->method()), caller_(context_->auth_context()) {
      const std::lock_guard<std::recursive_mutex> lock(streams_->mutex_);
      streams_->open_.insert(this);
    }
    ~Entry() override {
      const std::lock_guard<std::recursive_mutex> lock(streams_->mutex_);
      streams_->open_.erase(this);
    }
    void Intercept(InterceptorBatchMethods* methods) override { methods->Proceed(); }

    bool MayGoOn(const MayStill& may_still) const { return caller_ != nullptr && may_still(*caller_, method_); }
    void End() { context_->TryCancel(); }

   private:
    const std::shared_ptr<OpenStreams> streams_;
    grpc::ServerContextBase* const context_;  // outlives its interceptors
    const std::string method_;
    const std::shared_ptr<const grpc::AuthContext> caller_;
  };

  void EndWhatMayNotGoOn(const MayStill& may_still) {
    const std::lock_guard<std::recursive_mutex> lock(mutex_);
    const std::vector<Entry*> all(open_.begin(), open_.end());
    for (Entry* const entry : all) {
      if (open_.contains(entry) && !entry->MayGoOn(may_still)) entry->End();
    }
  }

 private:
  std::recursive_mutex mutex_;
  std::set<Entry*> open_;  // guarded by mutex_
};

class StreamWatch final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  StreamWatch(MayStill may_still, absl::Duration every)
      : may_still_(std::move(may_still)), every_(absl::ToChronoMilliseconds(every)), thread_([this] { Run(); }) {}
  ~StreamWatch() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }

  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    if (info->type() == ServerRpcInfo::Type::UNARY) return nullptr;
    return new OpenStreams::Entry(streams_, info);
  }

 private:
  void Run() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stop_.wait_for(lock, every_, [this] { return stopping_; })) streams_->EndWhatMayNotGoOn(may_still_);
  }

  const MayStill may_still_;
  const std::chrono::milliseconds every_;
  const std::shared_ptr<OpenStreams> streams_ = std::make_shared<OpenStreams>();
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses all of the above
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeStreamWatch(MayStill may_still, absl::Duration every) {
  return std::make_unique<StreamWatch>(std::move(may_still), every);
}

}  // namespace muster::rpc
