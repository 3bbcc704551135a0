// What the calls of the task service share: what they were given, their threads, and the streams that are open.
//
// Thread rule: any thread. Ownership: owned by TaskService; every call ends before it does. Threads stop
// first: the pool, whose jobs may still use the feed, then the feed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <grpcpp/server_context.h>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "master/request_handler/change_feed.h"
#include "master/request_handler/output_relay.h"
#include "master/request_handler/read_pool.h"
#include "master/request_handler/refusal_log.h"
#include "master/request_handler/request_gate.h"
#include "master/request_handler/selector.h"
#include "master/request_handler/task_service.h"
#include "master/request_handler/timers.h"

namespace muster::handler {

// A stream that can be told to end.
class StreamCall {
 public:
  virtual ~StreamCall() = default;
  virtual void Stop(const absl::Status& status) = 0;
};

class Context {
 public:
  explicit Context(TaskServiceDeps given)
      : deps(given),
        refusals(given.events, given.metrics),
        selectors(given.store, given.inspector, given.limits.inspect_wait),
        pool(given.limits.read_threads, given.limits.read_queue) {}

  ~Context() {
    pool.Stop();
    feed.Stop();
  }

  // Not OK: too many streams, or the master is stopping.
  absl::Status AddStream(const std::shared_ptr<StreamCall>& stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  void RemoveStream(StreamCall* stream) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  void StopStreams(const absl::Status& status) ABSL_LOCKS_EXCLUDED(streams_mutex_);
  size_t stream_count() const ABSL_LOCKS_EXCLUDED(streams_mutex_);

  const TaskServiceDeps deps;
  RefusalLog refusals;
  RequestGate gate;
  OutputRelay relay;
  SelectorResolver selectors;
  ChangeFeed feed;
  ReadPool pool;
  Timers timers;  // after the pool, which their jobs use

 private:
  mutable absl::Mutex streams_mutex_;
  absl::flat_hash_map<StreamCall*, std::weak_ptr<StreamCall>> streams_ ABSL_GUARDED_BY(streams_mutex_);
  absl::Status stopped_ ABSL_GUARDED_BY(streams_mutex_);
};

// Who calls: "operator/anna" by its certificate; on loopback the host of the peer, without its port: "127.0.0.1".
std::string CallerName(const grpc::CallbackServerContext& context);
// Whose the tasks are that a call brings: the caller's, whatever the call says. Empty on loopback, where it is believed.
std::string OwnerBy(const grpc::CallbackServerContext& context);

absl::Status PoolIsFull();

}  // namespace muster::handler
