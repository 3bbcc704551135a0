// The last step of every call that makes tasks: once per request id, into the loop's mailbox, and back when durable.
//
// Thread rule: Admit from any thread (with a request id it reads the store once); `done` runs once, on the feed's
// thread or the caller's. Errors: ALREADY_EXISTS REQUEST_ID_REUSED when the id came with other content before;
// RESOURCE_EXHAUSTED with a delay when the mailbox is full; the core's own refusals.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "master/core/effects.h"
#include "master/core/events.h"
#include "master/request_handler/context.h"

namespace muster::handler {

using Admitted = std::function<void(absl::StatusOr<core::SubmitAnswer>)>;

class Admission {
 public:
  explicit Admission(Context* context) : context_(context) {}

  // `event.call` is filled in here.
  void Admit(std::shared_ptr<core::SubmitTasks> event, Admitted done);

  // What was answered to the request before; nothing when it is new, or has no id. Reads the store.
  absl::StatusOr<std::optional<core::SubmitAnswer>> FindAnswer(const core::RequestKey& request) const;

 private:
  void AdmitOnce(std::shared_ptr<core::SubmitTasks> event, std::string key, Admitted done);
  void Post(core::SubmitTasks event, Admitted done);

  Context* const context_;
};

}  // namespace muster::handler
