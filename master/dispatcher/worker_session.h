// One dispatch session: the bidirectional stream WorkerService.Session to one worker, from dialling to its end.
//
// It says who the master is, waits for Hello (bounded by hello_timeout), and then turns orders into messages and
// messages into events. A thin reactor: no policy. While the loop is congested the next read waits, so a flood of
// results or output stays in the worker and in gRPC's windows and not in the master's memory.
//
//   dial ──▶ open sent ──Hello──▶ SessionOpened ──▶ orders / reports ──▶ stream ends ──▶ SessionClosed
//
// Thread rule: any thread; gRPC's threads run the reactions. Ownership: shared by the dispatcher and, until OnDone,
// by itself; the ports must outlive it. Errors: whatever ends the stream becomes SessionClosed's reason.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <grpcpp/alarm.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/domain/ids.h"
#include "common/rpc/outbox.h"
#include "master/core/ports.h"
#include "master/dispatcher/dispatcher_metrics.h"
#include "master/dispatcher/session_queue.h"
#include "muster/v1/worker_service.grpc.pb.h"

namespace muster::dispatcher {

// What all sessions share.
struct SessionPorts {
  std::string cluster_id;
  Epoch epoch;
  core::EventSink* events = nullptr;
  core::OutputSink* output = nullptr;  // null: nobody reads live output
  std::function<bool()> congested;     // unset: never
  DispatcherMetrics* metrics = nullptr;
  MessageBounds bounds;
  absl::Duration hello_timeout = absl::Seconds(5);
  absl::Duration congestion_pause = absl::Milliseconds(5);
};

class WorkerSession final : public grpc::ClientBidiReactor<v1::SessionRequest, v1::SessionResponse>,
                            public std::enable_shared_from_this<WorkerSession> {
 public:
  // Runs once, last, on gRPC's thread. It takes over the session's hold on itself, and must let go of it on another
  // thread: the last channel's end joins gRPC's own threads.
  using Done = std::function<void(std::shared_ptr<WorkerSession> session)>;

  static std::shared_ptr<WorkerSession> Make(const core::OpenSession& order, std::shared_ptr<grpc::Channel> channel,
                                             const SessionPorts* ports, Done done);
  // Dials. Once; without it there is no `done`.
  void Begin();

  void Add(SessionQueue::Order order) { queue_.Add(std::move(order)); }
  void Wake() { outbox_.Wake(); }

  // Sends what waits, says that nothing follows, and lets the worker end the stream.
  void Leave();
  // Ends the stream at once. `tell`: SessionClosed is posted when it has ended.
  void Close(std::string reason, bool tell) ABSL_LOCKS_EXCLUDED(mutex_);

  SessionNumber number() const { return order_.session; }
  bool reachable() const { return reachable_.load(); }

 private:
  WorkerSession(const core::OpenSession& order, std::shared_ptr<grpc::Channel> channel, const SessionPorts* ports,
                Done done);

  bool Fill(v1::SessionRequest* message);
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override { outbox_.OnWriteDone(ok); }
  void OnDone(const grpc::Status& status) override;
  void OnOutboxFinished();

  bool TakeHello();
  void TakeReports();
  void TakeOutput();
  void TakeLogs();
  void ReadOn();  // now, or when the loop has room again
  void RefuseTooLarge(const core::Assign& assign);

  const core::OpenSession order_;
  const SessionPorts* const ports_;
  const Done done_;
  const std::shared_ptr<grpc::Channel> channel_;  // of this session alone: closed with it
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  grpc::ClientContext context_;
  SessionQueue queue_;
  rpc::Outbox<v1::SessionRequest> outbox_;
  grpc::Alarm hello_alarm_;
  std::unique_ptr<grpc::Alarm> read_alarm_;  // a new one each time: it is replaced from its own callback
  std::atomic<bool> open_sent_{false};
  std::atomic<bool> reachable_{false};
  std::atomic<bool> leaving_{false};
  v1::SessionResponse response_;  // one read at a time

  absl::Mutex mutex_;
  std::string close_reason_ ABSL_GUARDED_BY(mutex_);
  bool tell_ ABSL_GUARDED_BY(mutex_) = true;

  std::shared_ptr<WorkerSession> self_;  // from Begin to OnDone
};

}  // namespace muster::dispatcher
