// What an UpdateQueue asks for, read and checked: its mask, or else what its settings say. And a PauseQueue.
//
// Thread rule: pure. Errors: INVALID_ARGUMENT with the reasons BAD_NAME, BAD_MASK, BAD_QUEUE_SETTINGS, BAD_PAUSE; what only the
// whole of the settings tells is the core's to refuse.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/domain/queue_settings.h"
#include "master/core/events.h"
#include "muster/v1/queue_service.pb.h"

namespace muster::handler {

absl::Status CheckQueueName(const std::string& name);
absl::StatusOr<QueueChange> ReadChange(const v1::UpdateQueueRequest& request);
absl::StatusOr<core::PauseQueue> ReadPause(const v1::PauseQueueRequest& request, absl::Time now);

}  // namespace muster::handler
