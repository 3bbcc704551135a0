// TaskService.Explain: the core's explanation of open tasks, the store's words for ended ones, and what would become of
// a task that is only asked about.
//
// Each task is one question to the loop, so that none keeps it for long; answers of one call are of different turns.
// Thread rule: threads that may block (the read pool's). Errors: those of selectors and of submit's validation;
// INVALID_ARGUMENT BAD_CALL; UNAVAILABLE when the loop does not answer.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "master/request_handler/context.h"
#include "master/request_handler/task_reader.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

class ExplainCall {
 public:
  ExplainCall(Context* context, TaskReader* reader) : context_(context), reader_(reader) {}

  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request, const std::string& owner);

 private:
  absl::StatusOr<v1::Explanation> ExplainNew(const v1::TaskSpec& task);
  // How what it depends on has ended, as far as it has.
  absl::StatusOr<std::vector<core::RangeEnds>> EndsOf(const TaskSpec& spec);
  absl::StatusOr<std::optional<v1::Explanation>> ExplainOpen(TaskId id);  // empty: it is not open
  absl::StatusOr<v1::Explanation> ExplainEnded(TaskId id);
  // Up to `limit` of the tasks, open ones first.
  absl::StatusOr<std::vector<TaskId>> Pick(const std::vector<TaskRange>& ranges, size_t limit);

  Context* const context_;
  TaskReader* const reader_;
};

// Works out the estimate.
void ToProto(const core::Explanation& from, v1::Explanation* to);

}  // namespace muster::handler
