// What the edges of a worker say to its loop: one item of its mailbox.
//
// Thread rule: values, moved.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "common/domain/ids.h"
#include "worker/core/worker_core.h"
#include "worker/plugin_api/executor.h"

namespace muster::worker {

// What the master wants of an attempt's live output. See muster.v1.OutputControl.
struct OutputOrder {
  enum class Action : uint8_t { kSubscribe = 1, kAcknowledge = 2, kPause = 3, kDetach = 4 };
  AttemptKey key;
  plugin::Stream stream = plugin::Stream::kStdout;
  Action action = Action::kSubscribe;
  int64_t offset = 0;
  bool lossless = false;
};

// All of one message, so that the loop's queue costs one step per message.
struct SessionMessage {
  StreamId stream;  // 0: not from a stream; else the loop tells it when it is done with the message
  std::vector<WorkerEvent> events;
  std::vector<OutputOrder> output;
};

using MessageSink = std::function<void(SessionMessage)>;

}  // namespace muster::worker
