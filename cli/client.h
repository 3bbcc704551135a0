// The master, as the verbs call it: one method per call, no gRPC in sight.
//
// Plain calls repeat themselves with the same request while the master is away or asks to come back (its own delay,
// with jitter), for a bounded time: briefly before the first answer, longer once it has answered. Streams are read
// with Next; who needs them to survive a restart opens them again (Attachment, EndWatch).
// Thread rule: one thread per Client; Background and Impatient make one for another thread on the same connection.
// Errors: the server's, with their reasons; UNAVAILABLE when nobody answers; errors.h's Interrupted after Ctrl-C.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/wakeup.h"
#include "muster/v1/cluster_service.pb.h"
#include "muster/v1/queue_service.pb.h"
#include "muster/v1/schedule_service.pb.h"
#include "muster/v1/task_service.pb.h"
#include "muster/v1/workflow_service.pb.h"

namespace muster::cli {

class Interrupts;

enum class StreamNews { kMessage, kNothing, kInterrupt, kEnd };

// What the server sends, one message at a time; at most a few are held ahead of the reader.
template <typename Message>
class IncomingStream {
 public:
  virtual ~IncomingStream() = default;
  // Waits until the deadline. kNothing also when something else rang the bell. After kEnd, `status` is how it ended.
  virtual StreamNews Next(Message* message, absl::Time deadline) = 0;
  virtual absl::Status status() const = 0;
};

// The same with a way back.
class AttachStream : public IncomingStream<v1::AttachResponse> {
 public:
  // False: the stream is broken; Next will say how.
  virtual bool Send(const v1::AttachRequest& request) = 0;
};

struct ClientOptions {
  std::string master;  // host:port
  std::string tls_certificate, tls_key, tls_ca;
  // For how long a call is repeated, before the first answer and after it.
  absl::Duration first_patience = absl::Seconds(2);
  absl::Duration patience = absl::Seconds(60);
  absl::Duration call_timeout = absl::Seconds(60);
  // Told when it takes a second or longer, and every ten seconds again: why it does not go on, and when it tries next.
  std::function<void(const std::string&)> narrate;
};

class Client {
 public:
  // `interrupts` may be null: then nothing but an answer ends a call.
  static absl::StatusOr<std::unique_ptr<Client>> Make(const ClientOptions& options, Interrupts* interrupts);
  virtual ~Client() = default;
  virtual std::unique_ptr<Client> Background() = 0;
  // As Background; each call is tried once, and waited for a few seconds at most.
  virtual std::unique_ptr<Client> Impatient() = 0;
  // From any thread: the call that is waited for, and every later one, ends with Interrupted.
  virtual void Abandon() = 0;

  virtual absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request) = 0;
  virtual absl::StatusOr<v1::SubmitBatchResponse> SubmitBatch(const v1::SubmitBatchRequest& request) = 0;
  virtual absl::StatusOr<v1::GetResponse> Get(const v1::GetRequest& request) = 0;
  virtual absl::StatusOr<v1::ListResponse> List(const v1::ListRequest& request) = 0;
  virtual absl::StatusOr<v1::CancelResponse> Cancel(const v1::CancelRequest& request) = 0;
  virtual absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) = 0;
  virtual absl::StatusOr<v1::RetryResponse> Retry(const v1::RetryRequest& request) = 0;
  virtual std::unique_ptr<IncomingStream<v1::WatchResponse>> Watch(const v1::WatchRequest& request) = 0;
  virtual std::unique_ptr<IncomingStream<v1::LogsResponse>> Logs(const v1::LogsRequest& request) = 0;
  virtual std::unique_ptr<AttachStream> Attach() = 0;

  virtual absl::StatusOr<v1::GetSummaryResponse> GetSummary(const v1::GetSummaryRequest& request) = 0;
  virtual absl::StatusOr<v1::ListWorkersResponse> ListWorkers(const v1::ListWorkersRequest& request) = 0;
  virtual absl::StatusOr<v1::GetWorkerResponse> GetWorker(const v1::GetWorkerRequest& request) = 0;
  virtual absl::StatusOr<v1::UpdateWorkerResponse> UpdateWorker(const v1::UpdateWorkerRequest& request) = 0;
  virtual absl::StatusOr<v1::ListFailuresResponse> ListFailures(const v1::ListFailuresRequest& request) = 0;
  virtual absl::StatusOr<v1::QuarantineWorkerResponse> QuarantineWorker(const v1::QuarantineWorkerRequest& request) = 0;
  virtual absl::StatusOr<v1::ResumeWorkerResponse> ResumeWorker(const v1::ResumeWorkerRequest& request) = 0;
  virtual std::unique_ptr<IncomingStream<v1::DrainWorkerResponse>> DrainWorker(const v1::DrainWorkerRequest& request) = 0;
  virtual std::unique_ptr<IncomingStream<v1::ReadActivityResponse>> ReadActivity(const v1::ReadActivityRequest& request) = 0;
  virtual absl::StatusOr<v1::ListRunTimesResponse> ListRunTimes(const v1::ListRunTimesRequest& request) = 0;
  virtual absl::StatusOr<v1::GetPlacementResponse> GetPlacement(const v1::GetPlacementRequest& request) = 0;
  virtual absl::StatusOr<v1::UpdatePlacementResponse> UpdatePlacement(const v1::UpdatePlacementRequest& request) = 0;
  virtual absl::StatusOr<v1::PurgeTasksResponse> PurgeTasks(const v1::PurgeTasksRequest& request) = 0;
  virtual std::unique_ptr<IncomingStream<v1::ShutdownResponse>> Shutdown(const v1::ShutdownRequest& request) = 0;

  virtual absl::StatusOr<v1::ListQueuesResponse> ListQueues(const v1::ListQueuesRequest& request) = 0;
  virtual absl::StatusOr<v1::GetQueueResponse> GetQueue(const v1::GetQueueRequest& request) = 0;
  virtual absl::StatusOr<v1::UpdateQueueResponse> UpdateQueue(const v1::UpdateQueueRequest& request) = 0;
  virtual absl::StatusOr<v1::PauseQueueResponse> PauseQueue(const v1::PauseQueueRequest& request) = 0;
  virtual absl::StatusOr<v1::ResumeQueueResponse> ResumeQueue(const v1::ResumeQueueRequest& request) = 0;

  virtual absl::StatusOr<v1::AddScheduleResponse> AddSchedule(const v1::AddScheduleRequest& request) = 0;
  virtual absl::StatusOr<v1::GetScheduleResponse> GetSchedule(const v1::GetScheduleRequest& request) = 0;
  virtual absl::StatusOr<v1::ListSchedulesResponse> ListSchedules(const v1::ListSchedulesRequest& request) = 0;
  virtual absl::StatusOr<v1::RemoveScheduleResponse> RemoveSchedule(const v1::RemoveScheduleRequest& request) = 0;
  virtual absl::StatusOr<v1::PauseScheduleResponse> PauseSchedule(const v1::PauseScheduleRequest& request) = 0;
  virtual absl::StatusOr<v1::ResumeScheduleResponse> ResumeSchedule(const v1::ResumeScheduleRequest& request) = 0;
  virtual absl::StatusOr<v1::SendEventResponse> SendEvent(const v1::SendEventRequest& request) = 0;
  virtual absl::StatusOr<v1::RunScheduleResponse> RunSchedule(const v1::RunScheduleRequest& request) = 0;
  // What the parts say together; sent again as a whole.
  virtual absl::StatusOr<v1::RunWorkflowResponse> RunWorkflow(const std::vector<v1::RunWorkflowRequest>& parts) = 0;
  virtual absl::StatusOr<v1::AddToWorkflowResponse> AddToWorkflow(const std::vector<v1::AddToWorkflowRequest>& parts) = 0;
  virtual absl::StatusOr<v1::PlanWorkflowResponse> PlanWorkflow(const std::vector<v1::PlanWorkflowRequest>& parts) = 0;
  virtual absl::StatusOr<v1::GetWorkflowResponse> GetWorkflow(const v1::GetWorkflowRequest& request) = 0;
  virtual absl::StatusOr<v1::ListWorkflowsResponse> ListWorkflows(const v1::ListWorkflowsRequest& request) = 0;
  virtual absl::StatusOr<v1::CancelWorkflowResponse> CancelWorkflow(const v1::CancelWorkflowRequest& request) = 0;
  virtual absl::StatusOr<v1::RetryWorkflowResponse> RetryWorkflow(const v1::RetryWorkflowRequest& request) = 0;

  // Sleeps; Interrupted after Ctrl-C.
  virtual absl::Status Pause(absl::Duration duration) = 0;
  virtual Wakeup& wakeup() = 0;
  virtual Interrupts* interrupts() = 0;
  virtual const std::string& master() const = 0;
};

// A request id: 128 bits in hexadecimal, the milliseconds of the day's calendar first, so that they sort by time.
std::string MakeRequestId();

}  // namespace muster::cli
