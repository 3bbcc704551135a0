// The one door: every call of a TLS server passes here before any service sees it, known method or not. Who calls is read
// from the certificate of the connection; what it may do is security::Authorize's.
//
// A server on loopback without TLS has no gate: whoever reaches it is this machine's user.
// Thread rule: Process on gRPC's threads, never blocking; `refused` too. Errors: the refusal, as the caller is told it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_context.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/security/identity.h"

namespace muster::rpc {

// A call was refused; `by` is who it was, or "nobody".
using RefusedCall = std::function<void(const absl::Status& refusal, const std::string& by)>;

class Gate : public grpc::AuthMetadataProcessor {
 public:
  // Whether who was let in may still do this. Any thread.
  virtual bool MayStill(const grpc::AuthContext& caller, const std::string& method) = 0;
};

// `cluster`: certificates of others are nobody's. `now` is asked at each call, for certificates end while connections last.
std::shared_ptr<Gate> MakeGate(std::string cluster, RefusedCall refused, std::function<absl::Time()> now);

// Who is at the other end of a call that has passed; the local user where there is no TLS.
security::Identity CallerOf(const grpc::ServerContextBase& context);

}  // namespace muster::rpc
