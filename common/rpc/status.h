// absl::Status on the wire and back, refusals with google.rpc details (BadRequest, RetryInfo, ErrorInfo).
// Thread rule: pure functions.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace muster::rpc {

grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace muster::rpc
