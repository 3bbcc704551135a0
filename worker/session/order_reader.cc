#include "worker/session/order_reader.h"

#include <utility>
#include <vector>

#include "common/convert/convert.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

EndReason ReasonOf(v1::EndReason reason) {
  return v1::EndReason_IsValid(reason) ? static_cast<EndReason>(reason) : EndReason::kCancelled;
}

absl::Duration GraceOf(const v1::StopAttempt& stop) {
  return stop.has_kill_grace() ? convert::FromProto(stop.kill_grace()) : absl::InfiniteDuration();
}

void ReadOutput(const v1::SessionRequest& request, std::vector<OutputOrder>* output) {
  for (const v1::OutputControl& control : request.output()) {
    const bool known = control.stream() == v1::OUTPUT_STREAM_STDOUT || control.stream() == v1::OUTPUT_STREAM_STDERR;
    if (!known || control.action() < v1::OutputControl::ACTION_SUBSCRIBE ||
        control.action() > v1::OutputControl::ACTION_DETACH || control.offset() < 0) {
      continue;
    }
    output->push_back({.key = convert::FromProto(control.key()),
                       .stream = static_cast<plugin::Stream>(control.stream()),
                       .action = static_cast<OutputOrder::Action>(control.action()),
                       .offset = control.offset(),
                       .lossless = control.lossless()});
  }
}

}  // namespace

SessionOpening ReadOpening(const v1::OpenSession& open, StreamId stream) {
  return {stream, open.cluster_id(), Epoch(open.epoch()), SessionNumber(open.session())};
}

// An order about an attempt comes after its assignment, so within a message assignments go first.
uint32_t ReadOrders(const v1::SessionRequest& request, const OrderContext& context, SessionMessage* message) {
  const StreamId stream = message->stream;
  std::vector<WorkerEvent>& events = message->events;
  for (const v1::AttemptKey& key : request.acknowledge()) {
    events.emplace_back(ResultAcknowledged{stream, convert::FromProto(key)});
  }
  if (request.resume()) events.emplace_back(ResumeRequested{stream});
  ReadAssignments read = ReadAssignmentsOf(request, stream, context.here);
  for (Assigned& assigned : read.assigned) events.emplace_back(std::move(assigned));
  for (const v1::StopAttempt& stop : request.stops()) {
    events.emplace_back(
        StopRequested{stream, convert::FromProto(stop.key()), ReasonOf(stop.reason()), GraceOf(stop)});
  }
  for (const v1::AttemptKey& key : request.recalls()) {
    events.emplace_back(RecallRequested{stream, convert::FromProto(key)});
  }
  if (request.has_drain()) {
    const absl::Duration wait =
        request.drain().has_deadline() ? convert::FromProto(request.drain().deadline()) : context.drain_timeout;
    events.emplace_back(DrainRequested{.stream = stream, .deadline = context.now + wait});
  }
  ReadOutput(request, &message->output);
  return read.malformed;
}

}  // namespace muster::worker
