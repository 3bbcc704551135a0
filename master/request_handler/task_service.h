// The gRPC face of tasks: muster.v1.TaskService. Validates, admits or refuses, posts events, and shows what became
// of them: what is durable and nothing else.
//
//   TaskService tasks({.events = &loop, .inspector = &loop, .store = store, .calls = &calls, .clock = &clock, ...});
//   loop.AddListener(&tasks);                 // before PendingCalls: watchers hear of a turn before its caller does
//   dispatcher.SetOutputSink(&tasks); tasks.SetOutputSource(&dispatcher);
//   rpc::Server::Start(config, {tasks.service(), ...});
//   ...
//   tasks.Stop(status);                       // ends every stream; then stop the server, then destroy
//
// It is an EffectListener (watchers, attached readers) and an OutputSink (their live output). Reads that block run on
// a small pool of its own; the exact state of open tasks is asked of the loop, a page of ids at a time.
//
// Thread rule: any thread; OnEffects on the loop's thread, which only queues. Ownership: everything in `deps` must
// outlive it; it must outlive the server that serves it. Errors: refusals with field violations, reasons and delays
// (common/base/refusal.h); docs in docs/protocol.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/impl/codegen/service_type.h>

#include "absl/status/status.h"
#include "common/runtime/clock.h"
#include "common/telemetry/metrics.h"
#include "master/core/ports.h"
#include "master/request_handler/calls.h"
#include "master/request_handler/limits.h"
#include "master/store/store.h"

namespace muster::handler {

class QueueBoard;
class RefusalLog;

struct TaskServiceDeps {
  core::EventSink* events = nullptr;
  core::Inspector* inspector = nullptr;
  store::Store* store = nullptr;
  PendingCalls* calls = nullptr;
  const runtime::Clock* clock = nullptr;
  telemetry::Metrics* metrics = nullptr;  // may be null
  const QueueBoard* queues = nullptr;     // may be null: queues have no defaults
  TaskLimits limits = {};
};

class TaskService final : public core::EffectListener, public core::OutputSink {
 public:
  explicit TaskService(TaskServiceDeps deps);
  ~TaskService() override;
  TaskService(const TaskService&) = delete;
  TaskService& operator=(const TaskService&) = delete;

  // Once, before the server starts.
  void SetOutputSource(core::OutputSource* source);
  grpc::Service* service();
  // For the other services, too: one count of all that callers are refused.
  RefusalLog* refusals();
  // Ends every stream with `status`; from then on new ones end at once.
  void Stop(const absl::Status& status);

  void OnEffects(const std::vector<core::Effect>& effects, CommitNumber commit) override;
  void OnOutput(AttemptKey key, core::OutputStreamKind stream, int64_t offset, std::string bytes,
                int64_t skipped) override;
  void OnWorkerReachable(WorkerId worker) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::handler
