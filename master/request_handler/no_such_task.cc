#include "master/request_handler/no_such_task.h"

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"

namespace muster::handler {

absl::Status NoSuchTask(const store::Store& store, TaskId id) {
  if (!id || id >= store.next_id()) {
    return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                  absl::StrCat("no task ", IdToText(id.value()), "; `muster ps -a` lists them"));
  }
  if (store.WasSkipped(id)) {
    return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                  absl::StrCat("no task ", IdToText(id.value()), ": the store was restored from a backup, and whatever was "
                               "accepted after that is lost; `muster ps -a` lists what is kept"));
  }
  return Refuse(absl::StatusCode::kNotFound, "TASK_PURGED",
                absl::StrCat("task ", IdToText(id.value()), " is not kept any more: it ended, and its retention is over or "
                             "it was purged; `muster ps -a` lists what is kept"));
}

}  // namespace muster::handler
