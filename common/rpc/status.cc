#include "common/rpc/status.h"

#include "absl/strings/string_view.h"
#include "common/base/refusal.h"
#include "common/base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace muster::rpc {
namespace {

constexpr char kDomain[] = "muster";
// A status travels in the trailers, of which gRPC takes 8 KiB: the message twice, escaped and in the details.
constexpr size_t kMostMessageBytes = 1000;
constexpr size_t kMostViolationBytes = 1500;

void AddDetails(const absl::Status& status, google::rpc::Status* details) {
  if (const std::string reason = ReasonOf(status); !reason.empty()) {
    google::rpc::ErrorInfo info;
    info.set_reason(reason);
    info.set_domain(kDomain);
    details->add_details()->PackFrom(info);
  }
  if (const auto violations = ViolationsOf(status); !violations.empty()) {
    google::rpc::BadRequest bad;
    size_t bytes = 0;
    for (const FieldViolation& violation : violations) {
      bytes += violation.field.size() + violation.description.size();
      if (bytes > kMostViolationBytes) break;
      auto* out = bad.add_field_violations();
      out->set_field(violation.field);
      out->set_description(violation.description);
    }
    details->add_details()->PackFrom(bad);
  }
  if (const auto delay = RetryAfterOf(status)) {
    google::rpc::RetryInfo info;
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(*delay);
    info.mutable_retry_delay()->set_seconds(nanoseconds / 1'000'000'000);
    info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
    details->add_details()->PackFrom(info);
  }
}

void ReadDetail(const google::protobuf::Any& detail, absl::Status* status) {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad;
  google::rpc::RetryInfo retry;
  if (detail.UnpackTo(&info)) {
    SetReason(status, info.reason());
  } else if (detail.UnpackTo(&bad)) {
    for (const auto& violation : bad.field_violations()) {
      AddViolation(status, {violation.field(), violation.description()});
    }
  } else if (detail.UnpackTo(&retry)) {
    SetRetryAfter(status, absl::Seconds(retry.retry_delay().seconds()) +
                              absl::Nanoseconds(retry.retry_delay().nanos()));
  }
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message = ToLine(std::string(status.message()), kMostMessageBytes);
  google::rpc::Status details;
  AddDetails(status, &details);
  if (details.details().empty()) return {code, message};
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  return {code, message, details.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& from) {
  if (from.ok()) return absl::OkStatus();
  absl::Status status(static_cast<absl::StatusCode>(from.error_code()), from.error_message());
  google::rpc::Status details;
  if (!from.error_details().empty() && details.ParseFromString(from.error_details())) {
    for (const auto& detail : details.details()) ReadDetail(detail, &status);
  }
  return status;
}

}  // namespace muster::rpc
