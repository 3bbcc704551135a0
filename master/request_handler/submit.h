// Submit and SubmitBatch: validate, admit, and answer when it is durable. The fast path: nothing blocks unless the
// call carries a request id (one indexed read), or adds to a batch or has dependencies (on the read pool).
//
// Thread rule: any thread. Ownership: request and response are gRPC's and live until `done` has run, once.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "master/request_handler/admission.h"
#include "master/request_handler/change_right.h"
#include "master/request_handler/context.h"
#include "master/request_handler/dependency_resolver.h"
#include "master/request_handler/task_reader.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class SubmitCalls {
 public:
  SubmitCalls(Context* context, Admission* admission, TaskReader* reader)
      : context_(context), admission_(admission), reader_(reader) {}

  // `owner`: whose the tasks are, whatever the call says; empty: as it says.
  void Submit(const v1::SubmitRequest& request, const std::string& owner, v1::SubmitResponse* response, Done done);
  // `right`: whose batch it may add rows to.
  void SubmitBatch(const v1::SubmitBatchRequest& request, const std::string& owner, const ChangeRight& right,
                   v1::SubmitBatchResponse* response, Done done);

 private:
  void WhereItMayBlock(bool has_dependencies, std::function<void()> job, const Done& done);
  // With what its dependencies name; `spec` itself gets the owner alone, for its digest is of what the caller sent.
  absl::StatusOr<TaskSpecPtr> AcceptResolved(DependencyResolver* resolver, const std::string& path,
                                             v1::TaskSpec* spec) const;
  void AdmitOrRefuse(const absl::Status& resolved, std::shared_ptr<core::SubmitTasks> event, Admitted answer);
  void SubmitOne(const v1::SubmitRequest& request, const std::string& owner, v1::SubmitResponse* response, const Done& done);
  void SubmitTogether(v1::SubmitBatchRequest request, const std::string& owner, v1::SubmitBatchResponse* response, Done done);
  void SubmitTemplate(v1::SubmitBatchRequest request, const std::string& owner, v1::SubmitBatchResponse* response, Done done);
  void ExtendBatch(std::shared_ptr<v1::SubmitBatchRequest> request, const ChangeRight& right,
                   v1::SubmitBatchResponse* response, Done done);
  void ExtendNow(std::shared_ptr<v1::SubmitBatchRequest> request, const ChangeRight& right, v1::SubmitBatchResponse* response,
                 Done done);
  void AnswerBatch(const core::SubmitAnswer& answer, const TaskSpecPtr& spec, v1::SubmitBatchResponse* response) const;

  Context* const context_;
  Admission* const admission_;
  TaskReader* const reader_;
};

}  // namespace muster::handler
