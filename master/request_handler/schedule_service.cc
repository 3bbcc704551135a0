#include "master/request_handler/schedule_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/convert/schedule.h"
#include "common/rpc/status.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/context.h"
#include "master/request_handler/names.h"
#include "master/request_handler/schedule_request.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr size_t kMostOfSchedulePage = 1000;
constexpr size_t kSchedulePageBytes = 2 << 20;  // the page ends with the schedule that goes beyond it

// Of all that its runs start.
void SetOwner(const std::string& owner, v1::ScheduleSpec* spec) {
  if (spec->has_task()) spec->mutable_task()->set_owner(owner);
  if (!spec->has_workflow()) return;
  for (v1::WorkflowNode& node : *spec->mutable_workflow()->mutable_spec()->mutable_nodes()) node.mutable_task()->set_owner(owner);
}

}  // namespace

grpc::ServerUnaryReactor* ScheduleService::AddSchedule(Context* context, const v1::AddScheduleRequest* request,
                                                       v1::AddScheduleResponse* response) {
  v1::AddScheduleRequest owned = *request;
  if (const std::string owner = OwnerBy(*context); !owner.empty()) SetOwner(owner, owned.mutable_spec());
  absl::StatusOr<core::AddSchedule> add = ReadAddSchedule(owned, deps_.limits, deps_.clock->Calendar());
  if (!add.ok()) return Refused(context, add.status());
  return Change(context, {.name = request->name(), .by = CallerName(*context), .what = *std::move(add)}, response);
}

grpc::ServerUnaryReactor* ScheduleService::GetSchedule(Context* context, const v1::GetScheduleRequest* request,
                                                       v1::GetScheduleResponse* response) {
  if (const absl::Status named = CheckScheduleName(request->name()); !named.ok()) return Refused(context, named);
  return Read(context, [this, request, response]() -> absl::Status {
    const auto schedule = AskLoop<std::optional<ScheduleView>>(
        deps_.inspector, deps_.limits.inspect_wait,
        [name = request->name()](const core::ClusterCore& core) { return core.FindSchedule(name); });
    if (!schedule.ok()) return schedule.status();
    if (!schedule->has_value()) {
      return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_SCHEDULE", absl::StrCat("no schedule ", request->name()));
    }
    convert::ToProto(**schedule, response->mutable_schedule());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ScheduleService::ListSchedules(Context* context, const v1::ListSchedulesRequest* request,
                                                         v1::ListSchedulesResponse* response) {
  if (request->page_size() < 0) return Refused(context, RefuseField("BAD_CALL", "page_size", "is negative"));
  if (!request->page_token().empty() && !IsName(request->page_token(), kLongestName)) {
    return Refused(context, RefuseField("BAD_PAGE_TOKEN", "page_token", "is not one that an earlier answer gave"));
  }
  const size_t asked = request->page_size() == 0 ? kMostOfSchedulePage : static_cast<size_t>(request->page_size());
  const size_t limit = std::min(asked, kMostOfSchedulePage);
  return Read(context, [this, request, response, limit] {
    const auto page = AskLoop<std::vector<ScheduleView>>(
        deps_.inspector, deps_.limits.inspect_wait,
        [after = request->page_token(), limit](const core::ClusterCore& core) { return core.Schedules(after, limit + 1); });
    if (!page.ok()) return page.status();
    size_t bytes = 0;
    for (const ScheduleView& schedule : *page) {
      const auto count = static_cast<size_t>(response->schedules_size());
      if (count == limit || bytes > kSchedulePageBytes) {
        response->set_next_page_token(response->schedules(response->schedules_size() - 1).name());
        break;
      }
      v1::Schedule* const added = response->add_schedules();
      convert::ToProto(schedule, added);
      bytes += added->ByteSizeLong();
    }
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ScheduleService::RemoveSchedule(Context* context, const v1::RemoveScheduleRequest* request,
                                                          v1::RemoveScheduleResponse* response) {
  if (const absl::Status named = CheckScheduleName(request->name()); !named.ok()) return Refused(context, named);
  return Change(context, {.name = request->name(), .by = CallerName(*context), .what = core::RemoveSchedule{}}, response);
}

grpc::ServerUnaryReactor* ScheduleService::PauseSchedule(Context* context, const v1::PauseScheduleRequest* request,
                                                         v1::PauseScheduleResponse* response) {
  if (const absl::Status named = CheckScheduleName(request->name()); !named.ok()) return Refused(context, named);
  if (const absl::Status reason = CheckReason(request->reason()); !reason.ok()) return Refused(context, reason);
  return Change(context,
                {.name = request->name(), .by = CallerName(*context), .what = core::PauseSchedule{request->reason()}}, response);
}

grpc::ServerUnaryReactor* ScheduleService::ResumeSchedule(Context* context, const v1::ResumeScheduleRequest* request,
                                                          v1::ResumeScheduleResponse* response) {
  if (const absl::Status named = CheckScheduleName(request->name()); !named.ok()) return Refused(context, named);
  return Change(context, {.name = request->name(), .by = CallerName(*context), .what = core::ResumeSchedule{}}, response);
}

grpc::ServerUnaryReactor* ScheduleService::RunSchedule(Context* context, const v1::RunScheduleRequest* request,
                                                       v1::RunScheduleResponse* response) {
  if (const absl::Status named = CheckScheduleName(request->name()); !named.ok()) return Refused(context, named);
  Violations violations;
  CheckRequestId(request->request_id(), &violations);
  if (!violations.empty()) return Refused(context, violations.ToStatus());
  return Change(context,
                {.name = request->name(), .by = CallerName(*context), .what = core::RunSchedule{request->request_id()}}, response);
}

grpc::ServerUnaryReactor* ScheduleService::SendEvent(Context* context, const v1::SendEventRequest* request,
                                                     v1::SendEventResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = pool_.Post([this, context, reactor, request, response] {
    deps_.event_calls->Send(*request, [this, context, reactor, response](absl::StatusOr<v1::SendEventResponse> answer) {
      if (answer.ok()) response->Swap(&*answer);
      Answer(context, reactor, answer.status());
    });
  });
  if (!taken) Answer(context, reactor, deps_.events->Refusal());
  return reactor;
}

grpc::ServerUnaryReactor* ScheduleService::Read(Context* context, std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = pool_.Post([this, context, reactor, work = std::move(work)] { Answer(context, reactor, work()); });
  if (!taken) Answer(context, reactor, deps_.events->Refusal());
  return reactor;
}

template <typename Response>
grpc::ServerUnaryReactor* ScheduleService::Change(Context* context, core::ChangeSchedule event, Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  event.call = deps_.calls->Expect<core::ScheduleAnswer>(
      [this, context, reactor, response](const absl::StatusOr<core::ScheduleAnswer>& answer) {
        if (answer.ok()) {
          convert::ToProto(answer->schedule, response->mutable_schedule());
          if constexpr (requires { response->mutable_run(); }) {
            convert::ToProto(answer->run, answer->schedule.spec, response->mutable_run());
          }
        }
        Answer(context, reactor, answer.status());
      });
  const CallId call = event.call;
  if (!deps_.events->Post(std::move(event)) && deps_.calls->Abandon(call)) {
    Answer(context, reactor, deps_.events->Refusal());
  }
  return reactor;
}

grpc::ServerUnaryReactor* ScheduleService::Refused(Context* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Answer(context, reactor, status);
  return reactor;
}

void ScheduleService::Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  if (deps_.refusals != nullptr && !muster::ReasonOf(status).empty()) deps_.refusals->Count(status, CallerName(*context));
  reactor->Finish(rpc::ToGrpc(status));
}

}  // namespace muster::handler
