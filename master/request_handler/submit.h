// Submit and SubmitBatch: validate, admit, and answer when it is durable. The fast path: nothing blocks unless the
// call carries a request id (one indexed read) or adds to a batch (on the read pool).
//
// Thread rule: any thread. Ownership: request and response are gRPC's and live until `done` has run, once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "master/request_handler/admission.h"
#include "master/request_handler/context.h"
#include "master/request_handler/task_reader.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

using Done = std::function<void(const absl::Status&)>;

class SubmitCalls {
 public:
  SubmitCalls(Context* context, Admission* admission, TaskReader* reader)
      : context_(context), admission_(admission), reader_(reader) {}

  void Submit(const v1::SubmitRequest& request, v1::SubmitResponse* response, Done done);
  void SubmitBatch(const v1::SubmitBatchRequest& request, v1::SubmitBatchResponse* response, Done done);

 private:
  void SubmitTogether(v1::SubmitBatchRequest request, v1::SubmitBatchResponse* response, Done done);
  void SubmitTemplate(v1::SubmitBatchRequest request, v1::SubmitBatchResponse* response, Done done);
  void ExtendBatch(std::shared_ptr<v1::SubmitBatchRequest> request, v1::SubmitBatchResponse* response, Done done);
  void ExtendNow(std::shared_ptr<v1::SubmitBatchRequest> request, v1::SubmitBatchResponse* response, Done done);
  void AnswerBatch(const core::SubmitAnswer& answer, const TaskSpecPtr& spec, v1::SubmitBatchResponse* response) const;
  // What a task is in as soon as it is accepted.
  TaskState FirstState(const TaskSpec& spec) const;

  Context* const context_;
  Admission* const admission_;
  TaskReader* const reader_;
};

}  // namespace muster::handler
