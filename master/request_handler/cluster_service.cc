#include "master/request_handler/cluster_service.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "master/request_handler/activity_stream.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/context.h"
#include "master/request_handler/drain_stream.h"
#include "master/request_handler/failures_call.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/names.h"
#include "master/request_handler/placement_change.h"
#include "master/request_handler/purge_call.h"
#include "master/request_handler/shutdown_run.h"
#include "master/request_handler/summary_call.h"

namespace muster::handler {
namespace {

constexpr uint32_t kMostWeight = 1000;
constexpr int32_t kDefaultRunTimes = 100;

absl::Status NoSuchWorker(const std::string& name) {
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKER",
                absl::StrCat("no worker is named ", name, "; muster workers lists them"));
}

}  // namespace

ClusterService::ClusterService(ClusterDeps deps)
    : deps_(std::move(deps)), pool_(deps_.read_threads, deps_.read_queue), commit_(deps_.store->last_commit()) {}

ClusterService::~ClusterService() { Stop(absl::UnavailableError("the master has stopped")); }

void ClusterService::Stop(const absl::Status& status) {
  std::vector<std::weak_ptr<StreamEnd>> streams;
  std::shared_ptr<ShutdownRun> shutdown;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = status;
    streams.swap(streams_);
    shutdown = shutdown_;
  }
  for (const auto& weak : streams) {
    if (const std::shared_ptr<StreamEnd> stream = weak.lock()) stream->End(status);
  }
  if (shutdown != nullptr) shutdown->Cut(status);
}

void ClusterService::OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) {
  const bool stopped = std::any_of(effects.begin(), effects.end(), [](const core::Effect& effect) {
    return std::holds_alternative<core::Stopped>(effect);
  });
  std::vector<std::shared_ptr<ActivityStream>> followers;
  std::shared_ptr<ShutdownRun> shutdown;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped) shutdown = shutdown_;
    if (commit > commit_) {
      commit_ = commit;
      followers_.erase(std::remove_if(followers_.begin(), followers_.end(),
                                      [&](const std::weak_ptr<ActivityStream>& weak) {
                                        std::shared_ptr<ActivityStream> follower = weak.lock();
                                        if (follower == nullptr || follower->over()) return true;
                                        followers.push_back(std::move(follower));
                                        return false;
                                      }),
                       followers_.end());
    }
  }
  for (const auto& follower : followers) follower->NoteCommit(commit);
  if (shutdown != nullptr) shutdown->OnStopped();
}

// --- Reads.

grpc::ServerUnaryReactor* ClusterService::Read(Context* context, std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const bool taken = pool_.Post([this, context, reactor, work = std::move(work)] { Answer(context, reactor, work()); });
  if (!taken) Answer(context, reactor, deps_.events->Refusal());
  return reactor;
}

grpc::ServerUnaryReactor* ClusterService::GetSummary(Context* context, const v1::GetSummaryRequest* request,
                                                     v1::GetSummaryResponse* response) {
  return Read(context, [this, request, response] {
    return handler::GetSummary({deps_.inspector, deps_.inspect_wait, deps_.start_time}, *request, response);
  });
}

grpc::ServerUnaryReactor* ClusterService::ListRunTimes(Context* context, const v1::ListRunTimesRequest* request,
                                                       v1::ListRunTimesResponse* response) {
  return Read(context, [this, request, response]() -> absl::Status {
    if (request->limit() < 0) return RefuseField("BAD_LIMIT", "limit", "must not be negative");
    const auto limit = static_cast<size_t>(request->limit() == 0 ? kDefaultRunTimes : request->limit());
    const auto learned = AskLoop<std::vector<LearnedRunTimes>>(
        deps_.inspector, deps_.inspect_wait, [limit](const core::ClusterCore& core) { return core.RunTimes(limit + 1); });
    MUSTER_RETURN_IF_ERROR(learned.status());
    for (size_t i = 0; i < std::min(limit, learned->size()); ++i) convert::ToProto((*learned)[i], response->add_run_times());
    response->set_truncated(learned->size() > limit);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ClusterService::GetPlacement(Context* context, const v1::GetPlacementRequest*,
                                                       v1::GetPlacementResponse* response) {
  return Read(context, [this, response] {
    const auto placement = AskLoop<PlacementView>(
        deps_.inspector, deps_.inspect_wait, [](const core::ClusterCore& core) { return core.Placement(); });
    if (placement.ok()) convert::ToProto(*placement, response->mutable_placement());
    return placement.status();
  });
}

grpc::ServerUnaryReactor* ClusterService::ListFailures(Context* context, const v1::ListFailuresRequest* request,
                                                       v1::ListFailuresResponse* response) {
  return Read(context, [this, request, response] {
    return handler::ListFailures(deps_.store, absl::Now(), *request, response);
  });
}

grpc::ServerUnaryReactor* ClusterService::PurgeTasks(Context* context, const v1::PurgeTasksRequest* request,
                                                     v1::PurgeTasksResponse* response) {
  return Read(context, [this, request, response, by = CallerName(*context)] {
    return handler::PurgeTasks({deps_.store, deps_.events, deps_.inspector, deps_.inspect_wait}, by, absl::Now(),
                               *request, response);
  });
}

grpc::ServerUnaryReactor* ClusterService::ListWorkers(Context* context, const v1::ListWorkersRequest*,
                                                      v1::ListWorkersResponse* response) {
  return Read(context, [this, response] {
    const auto workers = AskLoop<std::vector<WorkerView>>(
        deps_.inspector, deps_.inspect_wait, [](const core::ClusterCore& core) { return core.Workers(); });
    if (!workers.ok()) return workers.status();
    for (const WorkerView& worker : *workers) convert::ToProto(worker, response->add_workers());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ClusterService::GetWorker(Context* context, const v1::GetWorkerRequest* request,
                                                    v1::GetWorkerResponse* response) {
  return Read(context, [this, request, response] {
    const auto worker = AskLoop<std::optional<WorkerView>>(
        deps_.inspector, deps_.inspect_wait,
        [name = request->name()](const core::ClusterCore& core) { return core.FindWorker(name); });
    if (!worker.ok()) return worker.status();
    if (!worker->has_value()) return NoSuchWorker(request->name());
    convert::ToProto(**worker, response->mutable_worker());
    return absl::OkStatus();
  });
}

// --- Changes.

template <typename CoreAnswer, typename Event>
grpc::ServerUnaryReactor* ClusterService::Change(Context* context, Event event,
                                                 std::function<void(const CoreAnswer&)> fill) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  event.call = deps_.calls->Expect<CoreAnswer>(
      [this, context, reactor, fill = std::move(fill)](const absl::StatusOr<CoreAnswer>& answer) {
        if (answer.ok()) fill(*answer);
        Answer(context, reactor, answer.status());
      });
  const CallId call = event.call;
  if (!deps_.events->Post(std::move(event)) && deps_.calls->Abandon(call)) {
    Answer(context, reactor, deps_.events->Refusal());
  }
  return reactor;
}

template <typename Event, typename Response>
grpc::ServerUnaryReactor* ClusterService::ChangeWorker(Context* context, Event event, Response* response) {
  return Change<core::WorkerAnswer>(context, std::move(event), [response](const core::WorkerAnswer& answer) {
    convert::ToProto(answer.worker, response->mutable_worker());
  });
}

grpc::ServerUnaryReactor* ClusterService::UpdateWorker(Context* context, const v1::UpdateWorkerRequest* request,
                                                       v1::UpdateWorkerResponse* response) {
  core::UpdateWorker update{.name = request->name()};
  if (request->has_weight()) update.weight = request->weight();
  if (update.weight.value_or(0) > kMostWeight) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    Answer(context, reactor, RefuseField("BAD_WEIGHT", "weight", "must be 1 to 1000, or 0 for the default"));
    return reactor;
  }
  return ChangeWorker(context, std::move(update), response);
}

grpc::ServerUnaryReactor* ClusterService::QuarantineWorker(Context* context,
                                                           const v1::QuarantineWorkerRequest* request,
                                                           v1::QuarantineWorkerResponse* response) {
  if (const absl::Status reason = CheckReason(request->reason()); !reason.ok()) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    Answer(context, reactor, reason);
    return reactor;
  }
  return ChangeWorker(context, core::QuarantineWorker{.name = request->name(), .reason = request->reason()}, response);
}

grpc::ServerUnaryReactor* ClusterService::ResumeWorker(Context* context, const v1::ResumeWorkerRequest* request,
                                                       v1::ResumeWorkerResponse* response) {
  return ChangeWorker(context, core::ResumeWorker{.name = request->name()}, response);
}

grpc::ServerUnaryReactor* ClusterService::UpdatePlacement(Context* context, const v1::UpdatePlacementRequest* request,
                                                          v1::UpdatePlacementResponse* response) {
  absl::StatusOr<core::UpdatePlacement> update = ReadPlacementUpdate(*request);
  if (!update.ok()) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    Answer(context, reactor, update.status());
    return reactor;
  }
  update->by = CallerName(*context);
  return Change<core::PlacementAnswer>(context, *std::move(update), [response](const core::PlacementAnswer& answer) {
    convert::ToProto(answer.placement, response->mutable_placement());
  });
}

// --- Streams.

grpc::ServerWriteReactor<v1::DrainWorkerResponse>* ClusterService::DrainWorker(Context* context,
                                                                               const v1::DrainWorkerRequest* request) {
  const auto stream = std::make_shared<DrainStream>(
      DrainStream::Ports{deps_.events, deps_.inspector, deps_.calls, &timers_, deps_.poll}, request->name());
  stream->Keep();
  const absl::Duration deadline =
      request->has_deadline() ? convert::FromProto(request->deadline()) : absl::InfiniteDuration();
  if (deadline < absl::ZeroDuration()) {
    EndRefused(context, stream.get(), RefuseField("BAD_DURATION", "deadline", "must not be negative"));
  } else if (const absl::Status reason = CheckReason(request->reason()); !reason.ok()) {
    EndRefused(context, stream.get(), reason);
  } else if (Track(context, stream)) {
    stream->Begin(deadline, request->reason());
  }
  return stream.get();
}

grpc::ServerWriteReactor<v1::ReadActivityResponse>* ClusterService::ReadActivity(
    Context* context, const v1::ReadActivityRequest* request) {
  const auto stream = std::make_shared<ActivityStream>(
      ActivityStream::Ports{deps_.store, deps_.inspector, &pool_, deps_.inspect_wait}, *request);
  stream->Keep();
  if (!Track(context, stream)) return stream.get();
  CommitNumber durable;
  bool full = false;
  {
    absl::MutexLock lock(&mutex_);
    durable = commit_;
    full = followers_.size() >= deps_.most_followers;
    if (request->follow() && !full) followers_.push_back(stream);
  }
  if (full) {
    EndRefused(context, stream.get(),
           RefuseForNow("TOO_MANY_READERS", "too many clients follow the activity log", absl::Seconds(5)));
  } else {
    stream->Begin(durable);
  }
  return stream.get();
}

grpc::ServerWriteReactor<v1::ShutdownResponse>* ClusterService::Shutdown(Context*,
                                                                         const v1::ShutdownRequest* request) {
  const auto stream = std::make_shared<ShutdownStream>();
  stream->Keep();
  std::shared_ptr<ShutdownRun> run;
  bool is_new = false;
  {
    absl::MutexLock lock(&mutex_);
    is_new = shutdown_ == nullptr;
    if (is_new) {
      const absl::Duration deadline =
          request->has_deadline() ? convert::FromProto(request->deadline()) : absl::InfiniteDuration();
      shutdown_ = std::make_shared<ShutdownRun>(
          ShutdownRun::Ports{deps_.events, deps_.inspector, &timers_, deps_.poll, deps_.request_stop},
          request->drain(), deadline);
    }
    run = shutdown_;
  }
  run->Join(stream);
  if (is_new) run->Begin();
  return stream.get();
}

void ClusterService::Answer(Context* context, grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  if (deps_.refusals != nullptr && !ReasonOf(status).empty()) deps_.refusals->Count(status, CallerName(*context));
  reactor->Finish(rpc::ToGrpc(status));
}

void ClusterService::EndRefused(Context* context, StreamEnd* stream, const absl::Status& status) {
  if (deps_.refusals != nullptr) deps_.refusals->Count(status, CallerName(*context));
  stream->End(status);
}

bool ClusterService::Track(Context* context, const std::shared_ptr<StreamEnd>& stream) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    streams_.erase(std::remove_if(streams_.begin(), streams_.end(), [](const auto& weak) { return weak.expired(); }),
                   streams_.end());
    if (!stopped_.ok()) {
      refused = stopped_;
    } else if (streams_.size() >= deps_.most_streams) {
      refused = RefuseForNow("TOO_MANY_STREAMS", "the master serves as many readers as it may", absl::Seconds(1));
    } else {
      streams_.push_back(stream);
    }
  }
  if (!refused.ok()) EndRefused(context, stream.get(), refused);
  return refused.ok();
}

}  // namespace muster::handler
