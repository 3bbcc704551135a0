// The gRPC face of the schedules: muster.v1.ScheduleService. Reads ask the loop (ask_loop.h) on a small pool of its own;
// changes are posted and answered when they are durable.
//
// Thread rule: any thread. Ownership: everything in `deps` must outlive it; it must outlive the server that serves it.
// Errors: refusals (common/base/refusal.h): those of schedule_request.h, and the core's (schedule_events.h).
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/runtime/clock.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/event_calls.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "muster/v1/schedule_service.grpc.pb.h"

namespace muster::handler {

struct ScheduleDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  PendingCalls* calls = nullptr;
  EventCalls* event_calls = nullptr;
  RefusalLog* refusals = nullptr;  // may be null
  const runtime::Clock* clock = nullptr;
  TaskLimits limits;
  size_t read_threads = 1;
  size_t read_queue = 256;
};

class ScheduleService final : public v1::ScheduleService::CallbackService {
 public:
  explicit ScheduleService(const ScheduleDeps& deps) : deps_(deps), pool_(deps.read_threads, deps.read_queue) {}

  using Context = grpc::CallbackServerContext;
  grpc::ServerUnaryReactor* AddSchedule(Context* context, const v1::AddScheduleRequest* request,
                                        v1::AddScheduleResponse* response) override;
  grpc::ServerUnaryReactor* GetSchedule(Context* context, const v1::GetScheduleRequest* request,
                                        v1::GetScheduleResponse* response) override;
  grpc::ServerUnaryReactor* ListSchedules(Context* context, const v1::ListSchedulesRequest* request,
                                          v1::ListSchedulesResponse* response) override;
  grpc::ServerUnaryReactor* RemoveSchedule(Context* context, const v1::RemoveScheduleRequest* request,
                                           v1::RemoveScheduleResponse* response) override;
  grpc::ServerUnaryReactor* PauseSchedule(Context* context, const v1::PauseScheduleRequest* request,
                                          v1::PauseScheduleResponse* response) override;
  grpc::ServerUnaryReactor* ResumeSchedule(Context* context, const v1::ResumeScheduleRequest* request,
                                           v1::ResumeScheduleResponse* response) override;
  grpc::ServerUnaryReactor* RunSchedule(Context* context, const v1::RunScheduleRequest* request,
                                        v1::RunScheduleResponse* response) override;
  grpc::ServerUnaryReactor* SendEvent(Context* context, const v1::SendEventRequest* request,
                                      v1::SendEventResponse* response) override;

 private:
  grpc::ServerUnaryReactor* Read(Context* context, std::function<absl::Status()> work);
  template <typename Response>
  grpc::ServerUnaryReactor* Change(Context* context, core::ChangeSchedule event, Response* response);
  grpc::ServerUnaryReactor* Refused(Context* context, const absl::Status& status);
  // Ends the call; a refusal is counted under the peer's host.
  void Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status);

  const ScheduleDeps deps_;
  ReadPool pool_;
};

}  // namespace muster::handler
