// Cancel and Retry: resolve the selectors, then one event to the core, answered when it is durable.
//
// Cancel posts the wish for the ids; Retry makes a new task of each ended one, with the same content, `retry_of` set,
// and a batch's arguments put in (a retried task of a batch is a single task). With `failed`, calls go one after the
// other and leave out what was retried before: however often it is asked, a failure is tried again once, and of a submitter
// it means its own.
//
// Thread rule: both functions block (store, loop): on the read pool. `done` runs once, on any thread.
// Errors: those of selectors; PERMISSION_DENIED NOT_YOURS; FAILED_PRECONDITION NOT_ENDED for a task that is still open; NOTHING_TO_RETRY;
// RESOURCE_EXHAUSTED TOO_MANY_TASKS beyond what one call may retry.
#pragma once

#include <string>
#include <vector>

#include "master/request_handler/admission.h"
#include "master/request_handler/change_right.h"
#include "master/request_handler/context.h"
#include "master/request_handler/submit.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class ChangeCalls {
 public:
  ChangeCalls(Context* context, Admission* admission) : context_(context), admission_(admission) {}

  // `right`: whose tasks these may be.
  void Cancel(const v1::CancelRequest& request, const ChangeRight& right, std::string by, v1::CancelResponse* response, Done done);
  void Retry(const v1::RetryRequest& request, const ChangeRight& right, std::string by, v1::RetryResponse* response, Done done);

 private:
  // The tasks to try again, oldest first.
  absl::StatusOr<std::vector<store::StoredTask>> EndedTasks(const v1::RetryRequest& request, const ChangeRight& right);
  void RetryInTurn(const v1::RetryRequest& request, const ChangeRight& right, std::string by, v1::RetryResponse* response,
                   Done done);
  void RetryNow(const v1::RetryRequest& request, const ChangeRight& right, std::string by, v1::RetryResponse* response,
                const Done& done);

  Context* const context_;
  Admission* const admission_;
};

}  // namespace muster::handler
