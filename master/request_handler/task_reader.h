// Tasks and batches as they are: what the store has, completed with what only the loop knows of the open ones.
//
// Consistency: the loop is asked first and says which commit its answer belongs to; rows of a later commit make the
// pair be read anew, so that nobody sees half of a commit. After a few tries under a flood of commits, what a task
// shows is true of it alone.
//
// A task whose rows are damaged is named in a list, beside the others, and is DATA_LOSS when it is asked for itself.
//
// Thread rule: threads that may block. Errors: NOT_FOUND NO_SUCH_TASK; INVALID_ARGUMENT BAD_PAGE_TOKEN, BAD_FILTER;
// UNAVAILABLE when the loop does not answer; DATA_LOSS naming the row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "master/request_handler/context.h"
#include "master/request_handler/task_note.h"
#include "master/request_handler/task_view.h"
#include "muster/v1/task_service.pb.h"

namespace muster::handler {

// Open tasks out of `ids`, as of one turn.
struct OpenNotes {
  std::vector<TaskNote> notes;
  CommitNumber commit;
  uint64_t turn = 0;  // of the feed
};

class TaskReader {
 public:
  explicit TaskReader(Context* context) : context_(context) {}

  absl::StatusOr<v1::Task> ReadTask(TaskId id);
  absl::StatusOr<v1::Batch> ReadBatch(TaskId id);

  struct Page {
    std::vector<TaskNote> notes;     // newest first
    std::vector<TaskId> unreadable;  // beside them, newest first: damaged rows; whether they match is not known
    TaskId next;                     // go on below this; 0: that was all
    uint64_t turn = 0;
    CommitNumber commit;
  };
  // What `filter` selects below `before` (0: from the newest): up to `limit` tasks that match. May be short of them
  // though there are more, to bound the work of one call.
  absl::StatusOr<Page> ReadPage(const v1::TaskFilter& filter, const std::vector<TaskRange>& ranges, TaskId before,
                                size_t limit);

  absl::StatusOr<OpenNotes> AskOpen(std::vector<TaskId> ids);

  absl::StatusOr<v1::ListResponse> List(const v1::ListRequest& request);

 private:
  static void EndPageAt(TaskId last, Page* page);
  absl::StatusOr<Page> ReadChunk(const store::TaskQuery& query, const v1::TaskFilter& filter);

  Context* const context_;
};

// Whether a task in this state belongs to what the filter shows.
bool StateMatches(const v1::TaskFilter& filter, TaskState state);
// Queue, owner and labels.
bool SpecMatches(const v1::TaskFilter& filter, const TaskSpec& spec);
absl::Status CheckFilter(const v1::TaskFilter& filter, const TaskLimits& limits);

std::string PageToken(TaskId next, const v1::TaskFilter& filter);
absl::StatusOr<TaskId> ParsePageToken(const std::string& token, const v1::TaskFilter& filter);

}  // namespace muster::handler
