#include "worker/session/worker_service.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/rpc/gate.h"
#include "common/rpc/status.h"
#include "common/telemetry/log.h"

namespace muster::worker {
namespace {

bool IsLocalPeer(const std::string& peer) {
  return absl::StartsWith(peer, "ipv4:127.") || absl::StartsWith(peer, "unix:") ||
         absl::StartsWith(peer, "ipv6:[::1]") || absl::StartsWith(peer, "ipv6:%5B::1%5D") ||
         absl::StartsWith(peer, "ipv6:[::ffff:127.") || absl::StartsWith(peer, "ipv6:%5B::ffff:127.");
}

bool HasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

absl::Status CheckCommand(const v1::Command& command) {
  if (command.argv().empty() && !command.has_script()) {
    return RefuseField("NO_COMMAND", "task.command.argv", "is empty; name a program");
  }
  for (int i = 0; i < command.argv_size(); ++i) {
    if (HasNul(command.argv(i))) {
      return RefuseField("BAD_ARGUMENT", absl::StrCat("task.command.argv[", i, "]"),
                         "has a NUL byte; arguments cannot carry one");
    }
  }
  for (int i = 0; i < command.environment_size(); ++i) {
    const v1::EnvironmentVariable& variable = command.environment(i);
    if (variable.name().empty() || HasNul(variable.name()) || HasNul(variable.value()) ||
        variable.name().find('=') != std::string::npos) {
      return RefuseField("BAD_ENVIRONMENT", absl::StrCat("task.command.environment[", i, "]"),
                         "must be a name without '=' and a value, both without NUL bytes");
    }
  }
  return absl::OkStatus();
}

// A call that ends at once.
class RefusedSession final : public grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse> {
 public:
  explicit RefusedSession(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};
class RefusedExecute final : public grpc::ServerWriteReactor<v1::ExecuteResponse> {
 public:
  explicit RefusedExecute(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

WorkerService::WorkerService(Options options)
    : options_(std::move(options)),
      ports_({.here = options_.here,
              .drain_timeout = options_.drain_timeout,
              .clock = options_.clock,
              .sink = options_.sink,
              .done =
                  [this](StreamId stream) {
                    absl::MutexLock lock(&mutex_);
                    streams_.erase(stream);
                  }}),
      direct_(options_.direct) {}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* WorkerService::Session(
    grpc::CallbackServerContext*) {
  std::shared_ptr<SessionReactor> session;
  {
    absl::MutexLock lock(&mutex_);
    if (streams_.size() >= kMostStreams) {
      return new RefusedSession({grpc::StatusCode::RESOURCE_EXHAUSTED, "this worker has too many sessions open"});
    }
    const StreamId stream(++streams_opened_);
    session = std::make_shared<SessionReactor>(stream, &ports_);
    streams_.emplace(stream, session);
  }
  session->Begin();
  return session.get();
}

absl::Status WorkerService::CheckDirect(const grpc::CallbackServerContext& context,
                                        const v1::ExecuteRequest& request) const {
  if (rpc::CallerOf(context).is_local() && !IsLocalPeer(context.peer())) {
    return Refuse(absl::StatusCode::kPermissionDenied, "NOT_LOCAL",
                  "Execute is for people on the worker's own machine; submit to the master instead");
  }
  const std::string executor = request.task().executor().empty() ? "command" : request.task().executor();
  if (executor == "command") MUSTER_RETURN_IF_ERROR(CheckCommand(request.task().command()));
  if (request.task().lossless_output()) {
    return RefuseField("NOT_HERE", "task.lossless_output", "is always so for a direct execution; leave it out");
  }
  if (executor != "command" && (request.task().isolation() > v1::ISOLATION_PLAIN || request.task().no_network())) {
    return RefuseField("BAD_ISOLATION", "task.isolation", "is of the executor command alone");
  }
  v1::TaskSpec owned = request.task();
  if (const std::string by = rpc::CallerOf(context).Text(); !by.empty()) owned.set_owner(by);
  if (const std::string why = WhyForbidden(owned, options_.here); !why.empty()) {
    return Refuse(absl::StatusCode::kPermissionDenied, "POLICY_DENIED", why);
  }
  return options_.check_executor(executor);
}

grpc::ServerWriteReactor<v1::ExecuteResponse>* WorkerService::Execute(grpc::CallbackServerContext* context,
                                                                      const v1::ExecuteRequest* request) {
  if (const absl::Status status = CheckDirect(*context, *request); !status.ok()) {
    return new RefusedExecute(rpc::ToGrpc(status));
  }
  uint64_t direct = 0;
  const std::shared_ptr<DirectReactor> call = direct_.Open(&direct);
  if (call == nullptr) {
    return new RefusedExecute({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many direct calls are open"});
  }
  MUSTER_LOG(kInfo, "direct execution asked for", {{"direct", DirectName(direct)}, {"peer", context->peer()}});
  SessionMessage message;
  message.events.emplace_back(DirectRequested{
      direct, std::make_shared<AttemptWork>(MakeDirectWork(request->task(), direct, options_.here))});
  options_.sink(std::move(message));
  return call.get();
}

std::shared_ptr<SessionReactor> WorkerService::Find(StreamId stream) const {
  absl::MutexLock lock(&mutex_);
  const auto it = streams_.find(stream);
  return it == streams_.end() ? nullptr : it->second;
}

void WorkerService::SendHello(worker::SendHello hello) {
  if (const auto session = Find(hello.stream)) {
    session->queue().SetHello(options_.incarnation, std::move(hello));
    session->Wake();
  }
}

void WorkerService::Reject(StreamId stream, const std::string& reason) {
  if (const auto session = Find(stream)) {
    session->queue().SetRefusal(reason);
    session->Wake();
    session->End({grpc::StatusCode::FAILED_PRECONDITION, reason});
  }
}

void WorkerService::EndAll() {
  std::vector<std::shared_ptr<SessionReactor>> open;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [stream, session] : streams_) open.push_back(session);
  }
  for (const auto& session : open) session->End({grpc::StatusCode::UNAVAILABLE, "the worker is stopping"});
}

}  // namespace muster::worker
