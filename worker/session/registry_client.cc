#include "worker/session/registry_client.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/synchronization/mutex.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "common/telemetry/log.h"
#include "muster/v1/registry_service.grpc.pb.h"
#include "worker/session/call_schedule.h"
#include "worker/session/master_order.h"
#include "worker/session/master_silence.h"

namespace muster::worker {
namespace {

constexpr absl::Duration kShortestCall = absl::Seconds(1);
constexpr absl::Duration kLongestCall = absl::Seconds(10);
constexpr absl::Duration kJoinCall = absl::Seconds(5);
constexpr absl::Duration kShortestInterval = absl::Milliseconds(20);
constexpr absl::Duration kLongestInterval = absl::Minutes(1);

// Waiting does not help: the request itself is wrong.
bool IsFinal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kUnimplemented ||
         status.code() == absl::StatusCode::kPermissionDenied;
}

class RegistryClientImpl final : public RegistryClient {
 public:
  explicit RegistryClientImpl(Options options)
      : options_(std::move(options)), stub_(v1::RegistryService::NewStub(options_.channel)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~RegistryClientImpl() override { Stop(); }

  void Poke() override {
    absl::MutexLock lock(&mutex_);
    poked_ = true;
  }

  void SetDraining() override {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    poked_ = true;
  }

  bool WaitUntilDrainIsKnown(absl::Duration wait) override {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &RegistryClientImpl::DrainKnownOrStopped), wait);
    return drain_known_;
  }

  bool joined() const override {
    absl::MutexLock lock(&mutex_);
    return joined_;
  }

  absl::Duration silent_for() const override {
    absl::MutexLock lock(&mutex_);
    return silence_.At(options_.clock->Now());
  }

  void Stop() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
      if (call_ != nullptr) call_->TryCancel();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  bool Awake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || poked_; }
  bool DrainKnownOrStopped() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return drain_known_ || stopping_; }

  void Run() {
    while (!Sleep(schedule_.wait())) {
      if (joined()) {
        Heartbeat();
      } else if (!Join()) {
        return;
      }
    }
  }

  // Until it is time or somebody pokes. True: stop.
  bool Sleep(absl::Duration wait) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(this, &RegistryClientImpl::Awake), wait);
    poked_ = false;
    return stopping_;
  }

  // False: there is no use in going on.
  bool Join() {
    v1::JoinRequest request;
    const WorkerOffer offer = options_.offer();
    request.set_name(options_.name);
    request.set_incarnation(options_.incarnation.value());
    request.set_address(options_.address);
    request.set_version(options_.version);
    convert::ToProto(offer, request.mutable_offer());
    convert::ToProto(options_.load(), request.mutable_load());
    request.set_draining(IsDraining());

    v1::JoinResponse response;
    const absl::Time sent = options_.clock->Now();
    absl::Status status = Call(kJoinCall, [&](grpc::ClientContext* context) {
      return stub_->Join(context, request, &response);
    });
    if (status.ok()) status = order_.Join(response.cluster_id(), Epoch(response.epoch()));
    if (!status.ok()) return AfterFailedJoin(status, sent);

    schedule_.Joined(
        std::clamp(convert::FromProto(response.heartbeat_interval()), kShortestInterval, kLongestInterval));
    told_offer_ = offer;
    complained_ = false;
    ever_joined_ = true;
    MUSTER_LOG(kInfo, "joined", {{"master", options_.master}, {"cluster", response.cluster_id()},
                                 {"epoch", response.epoch()}, {"heartbeat", absl::FormatDuration(schedule_.interval())}});
    NoteAnswered(request.draining(), true);
    options_.times_told(convert::FromProto(response.kill_grace()));
    cluster_id_ = response.cluster_id();
    options_.lease_extended(sent + convert::FromProto(response.self_fence()), cluster_id_, Epoch(response.epoch()),
                            SessionNumber(response.first_valid_session()));
    return true;
  }

  bool AfterFailedJoin(const absl::Status& status, absl::Time sent) {
    const bool taken = status.code() == absl::StatusCode::kAlreadyExists;
    if (taken && !name_taken_since_) name_taken_since_ = sent;
    if (!taken) name_taken_since_.reset();
    if (!ever_joined_ && (IsFinal(status) || (taken && sent - *name_taken_since_ >= options_.name_patience))) {
      options_.refused(status);
      return false;
    }
    Complain("cannot join", status);
    BackOff();
    return true;
  }

  void Heartbeat() {
    v1::HeartbeatRequest request;
    request.set_name(options_.name);
    request.set_incarnation(options_.incarnation.value());
    convert::ToProto(options_.load(), request.mutable_load());
    request.set_draining(IsDraining());
    const WorkerOffer offer = options_.offer();
    const bool offer_changed = offer != told_offer_;
    if (offer_changed) convert::ToProto(offer, request.mutable_offer());

    v1::HeartbeatResponse response;
    const absl::Time sent = options_.clock->Now();
    const absl::Duration longest = std::clamp(2 * schedule_.interval(), kShortestCall, kLongestCall);
    absl::Status status = Call(longest, [&](grpc::ClientContext* context) {
      return stub_->Heartbeat(context, request, &response);
    });
    if (status.ok()) status = order_.Answer(Epoch(response.epoch()));
    if (!status.ok()) {
      Complain("no answer to a heartbeat", status);
      BackOff();
      return;
    }
    complained_ = false;
    if (response.join_again()) {
      MUSTER_LOG(kWarning, "the master does not know this worker: joining again", {{"master", options_.master}});
      NoteAnswered(false, false);
      schedule_.AskedToJoinAgain();
      return;
    }
    schedule_.Answered();
    if (offer_changed) told_offer_ = offer;
    NoteAnswered(request.draining(), true);
    options_.lease_extended(sent + convert::FromProto(response.lease()), cluster_id_, Epoch(response.epoch()),
                            SessionNumber(response.first_valid_session()));
  }

  template <typename Method>
  absl::Status Call(absl::Duration longest, Method method) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(longest));
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return absl::CancelledError("stopping");
      call_ = &context;
    }
    const grpc::Status status = method(&context);
    absl::MutexLock lock(&mutex_);
    call_ = nullptr;
    return rpc::FromGrpc(status);
  }

  bool IsDraining() const {
    absl::MutexLock lock(&mutex_);
    return draining_;
  }

  void NoteAnswered(bool told_draining, bool joined) {
    absl::MutexLock lock(&mutex_);
    joined_ = joined;
    silence_.Heard(options_.clock->Now(), schedule_.interval());
    drain_known_ = drain_known_ || told_draining;
  }

  // Once per spell of silence; the rest is debug.
  void Complain(const char* what, const absl::Status& status) {
    if (!std::exchange(complained_, true)) {
      MUSTER_LOG(kWarning, what, {{"master", options_.master}, {"status", status.ToString()}});
    } else {
      MUSTER_LOG(kDebug, what, {{"master", options_.master}, {"status", status.ToString()}});
    }
  }

  void BackOff() { schedule_.NotAnswered(joined(), absl::Uniform(random_, 0.0, 1.0)); }

  const Options options_;
  const std::unique_ptr<v1::RegistryService::Stub> stub_;

  // The thread's own.
  absl::BitGen random_;
  MasterOrder order_;
  std::string cluster_id_;  // of the master joined last
  CallSchedule schedule_;
  WorkerOffer told_offer_;
  std::optional<absl::Time> name_taken_since_;
  bool ever_joined_ = false;
  bool complained_ = false;

  mutable absl::Mutex mutex_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool drain_known_ ABSL_GUARDED_BY(mutex_) = false;
  bool joined_ ABSL_GUARDED_BY(mutex_) = false;
  MasterSilence silence_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;  // in flight
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

std::unique_ptr<RegistryClient> RegistryClient::Start(Options options) {
  return std::make_unique<RegistryClientImpl>(std::move(options));
}

}  // namespace muster::worker
