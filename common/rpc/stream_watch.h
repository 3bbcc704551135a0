// Streams last for days, and rights do not: each open stream is asked about again, and ends when the right to it has.
//
// An interceptor of the server's, which changes nothing: it only knows which streams are open. The caller sees CANCELLED, and
// the reason when it calls again.
// Thread rule: a thread of its own asks; gRPC's threads come and go. Ownership: the server owns it and lets go of it after
// its last call.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <grpcpp/security/auth_context.h>
#include <grpcpp/support/server_interceptor.h>

#include "absl/time/time.h"

namespace muster::rpc {

// Whether who is at the other end may still do this.
using MayStill = std::function<bool(const grpc::AuthContext& caller, const std::string& method)>;

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeStreamWatch(MayStill may_still, absl::Duration every);

}  // namespace muster::rpc
