#include "master/request_handler/queue_service.h"

#include <optional>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/refusal.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/context.h"
#include "master/request_handler/queue_change.h"

namespace muster::handler {

grpc::ServerUnaryReactor* QueueService::ListQueues(Context* context, const v1::ListQueuesRequest*,
                                                   v1::ListQueuesResponse* response) {
  return Read(context, [this, response] {
    const auto queues = AskLoop<std::vector<QueueView>>(
        deps_.inspector, deps_.inspect_wait, [](const core::ClusterCore& core) { return core.Queues(absl::Now()); });
    if (!queues.ok()) return queues.status();
    for (const QueueView& queue : *queues) convert::ToProto(queue, response->add_queues());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* QueueService::GetQueue(Context* context, const v1::GetQueueRequest* request,
                                                 v1::GetQueueResponse* response) {
  if (const absl::Status named = CheckQueueName(request->name()); !named.ok()) return Refused(context, named);
  return Read(context, [this, request, response] {
    const auto queue = AskLoop<QueueView>(deps_.inspector, deps_.inspect_wait,
                                          [name = request->name()](const core::ClusterCore& core) {
                                            return core.FindQueue(name, absl::Now());
                                          });
    if (queue.ok()) convert::ToProto(*queue, response->mutable_queue());
    return queue.status();
  });
}

grpc::ServerUnaryReactor* QueueService::UpdateQueue(Context* context, const v1::UpdateQueueRequest* request,
                                                    v1::UpdateQueueResponse* response) {
  absl::StatusOr<QueueChange> change = ReadChange(*request);
  if (!change.ok()) return Refused(context, change.status());
  core::UpdateQueue event{.name = request->name(), .reset = request->reset(), .by = CallerName(*context)};
  const bool any = request->has_update_mask() ? request->update_mask().paths_size() > 0 : request->has_settings();
  if (any) event.change = *std::move(change);
  if (!any && !event.reset) {
    return Refused(context, RefuseField("BAD_QUEUE_SETTINGS", "settings", "say nothing; set something, or `reset`"));
  }
  return Change(context, std::move(event), response);
}

grpc::ServerUnaryReactor* QueueService::PauseQueue(Context* context, const v1::PauseQueueRequest* request,
                                                   v1::PauseQueueResponse* response) {
  absl::StatusOr<core::PauseQueue> event = ReadPause(*request, absl::Now());
  if (!event.ok()) return Refused(context, event.status());
  event->by = CallerName(*context);
  return Change(context, *std::move(event), response);
}

grpc::ServerUnaryReactor* QueueService::ResumeQueue(Context* context, const v1::ResumeQueueRequest* request,
                                                    v1::ResumeQueueResponse* response) {
  if (const absl::Status named = CheckQueueName(request->name()); !named.ok()) return Refused(context, named);
  return Change(context, core::ResumeQueue{.name = request->name(), .by = CallerName(*context)}, response);
}

grpc::ServerUnaryReactor* QueueService::Read(Context* context, std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = pool_.Post([this, context, reactor, work = std::move(work)] { Answer(context, reactor, work()); });
  if (!taken) Answer(context, reactor, deps_.events->Refusal());
  return reactor;
}

template <typename Event, typename Response>
grpc::ServerUnaryReactor* QueueService::Change(Context* context, Event event, Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  event.call = deps_.calls->Expect<core::QueueAnswer>(
      [this, context, reactor, response](const absl::StatusOr<core::QueueAnswer>& answer) {
        if (answer.ok()) convert::ToProto(answer->queue, response->mutable_queue());
        Answer(context, reactor, answer.status());
      });
  const CallId call = event.call;
  if (!deps_.events->Post(std::move(event)) && deps_.calls->Abandon(call)) {
    Answer(context, reactor, deps_.events->Refusal());
  }
  return reactor;
}

grpc::ServerUnaryReactor* QueueService::Refused(Context* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Answer(context, reactor, status);
  return reactor;
}

void QueueService::Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  if (deps_.refusals != nullptr && !muster::ReasonOf(status).empty()) deps_.refusals->Count(status, CallerName(*context));
  reactor->Finish(rpc::ToGrpc(status));
}

}  // namespace muster::handler
