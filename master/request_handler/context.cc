#include "master/request_handler/context.h"

#include "common/base/refusal.h"
#include "common/rpc/gate.h"

namespace muster::handler {

absl::Status Context::AddStream(const std::shared_ptr<StreamCall>& stream) {
  absl::MutexLock lock(&streams_mutex_);
  if (!stopped_.ok()) return stopped_;
  if (streams_.size() >= deps.limits.streams) {
    return RefuseForNow("TOO_MANY_STREAMS", "the master serves as many readers as it may", absl::Seconds(1));
  }
  streams_.emplace(stream.get(), stream);
  return absl::OkStatus();
}

void Context::RemoveStream(StreamCall* stream) {
  absl::MutexLock lock(&streams_mutex_);
  streams_.erase(stream);
}

void Context::StopStreams(const absl::Status& status) {
  std::vector<std::shared_ptr<StreamCall>> streams;
  {
    absl::MutexLock lock(&streams_mutex_);
    stopped_ = status;
    for (const auto& [raw, weak] : streams_) {
      if (auto stream = weak.lock()) streams.push_back(std::move(stream));
    }
  }
  for (const auto& stream : streams) stream->Stop(status);
}

size_t Context::stream_count() const {
  absl::MutexLock lock(&streams_mutex_);
  return streams_.size();
}

std::string OwnerBy(const grpc::CallbackServerContext& context) { return rpc::CallerOf(context).Text(); }

std::string CallerName(const grpc::CallbackServerContext& context) {
  if (std::string identity = OwnerBy(context); !identity.empty()) return identity;
  std::string peer = context.peer();  // "ipv4:127.0.0.1:5555", "ipv6:%5B::1%5D:5555", "unix:..."
  const size_t scheme = peer.find(':');
  if (scheme == std::string::npos || peer.compare(0, 2, "ip") != 0) return peer;
  const size_t port = peer.rfind(':');
  return peer.substr(scheme + 1, port > scheme ? port - scheme - 1 : std::string::npos);
}

absl::Status PoolIsFull() {
  return RefuseForNow("TOO_MANY_READS", "the master has more reads waiting than it can take", absl::Seconds(1));
}

}  // namespace muster::handler
