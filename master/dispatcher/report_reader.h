// What a worker's message says, as the core's events: read, checked, and whatever names no possible attempt dropped.
//
// Thread rule: pure functions. Ownership: results take the message's output bytes. Errors: nothing that a worker
// says reaches a check; what makes no sense is counted.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "common/domain/ids.h"
#include "master/core/events.h"

namespace muster::v1 {
class AttemptKey;
class Hello;
class SessionResponse;
}  // namespace muster::v1

namespace muster::dispatcher {

// An error is why there will be no session.
absl::StatusOr<core::SessionOpened> ReadHello(const v1::Hello& hello, WorkerId worker, SessionNumber session);

struct Reports {
  core::WorkerReports event;
  size_t malformed = 0;
  bool Empty() const {
    return event.started.empty() && event.validating.empty() && event.results.empty() && event.given_back.empty() &&
           event.refused.empty();
  }
};
Reports ReadReports(v1::SessionResponse* message, WorkerId worker, SessionNumber session);

// Whether a task could have an attempt of this name.
bool IsPossible(const v1::AttemptKey& key);

}  // namespace muster::dispatcher
