#include "master/request_handler/event_http.h"

#include <memory>
#include <utility>

#include "absl/synchronization/notification.h"
#include "common/base/refusal.h"
#include "common/base/utf8.h"
#include "common/convert/event_json.h"
#include "google/protobuf/util/json_util.h"

namespace muster::handler {
namespace {

int HttpCodeOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk: return 200;
    case absl::StatusCode::kInvalidArgument: return 400;
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition: return 409;
    case absl::StatusCode::kResourceExhausted: return 429;
    case absl::StatusCode::kUnimplemented: return 501;
    case absl::StatusCode::kUnavailable: return 503;
    default: return 500;
  }
}

telemetry::HttpReply ReplyOf(const absl::StatusOr<v1::SendEventResponse>& answer) {
  if (!answer.ok()) {
    return {HttpCodeOf(answer.status().code()), ToLine(std::string(answer.status().message()), 2048),
            RetryAfterOf(answer.status()).value_or(absl::ZeroDuration())};
  }
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  telemetry::HttpReply reply;
  if (!google::protobuf::util::MessageToJsonString(*answer, &reply.body, options).ok()) return {500, "the answer cannot be written as JSON", {}};
  return reply;
}

// What it waits on lives until both have let go: an answer may come while nobody waits any more.
struct Waiting {
  absl::Notification answered;
  absl::StatusOr<v1::SendEventResponse> answer;
};

}  // namespace

telemetry::HttpReply ServeEvent(EventCalls* events, RefusalLog* refusals, const std::string& name, const std::string& body) {
  v1::SendEventRequest event;
  event.set_event(name);
  const auto waiting = std::make_shared<Waiting>();
  if (const absl::Status read = convert::ReadEventJson("body", body, &event); read.ok()) {
    events->Send(std::move(event), [waiting](absl::StatusOr<v1::SendEventResponse> answer) {
      waiting->answer = std::move(answer);
      waiting->answered.Notify();
    });
    waiting->answered.WaitForNotification();
  } else {
    waiting->answer = read;
  }
  if (refusals != nullptr && !ReasonOf(waiting->answer.status()).empty()) refusals->Count(waiting->answer.status(), "http");
  return ReplyOf(waiting->answer);
}

}  // namespace muster::handler
