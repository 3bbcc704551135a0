#include "master/request_handler/change_right.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/rpc/gate.h"
#include "common/security/access_table.h"

namespace muster::handler {

absl::Status ChangeRight::Check(const std::string& what, const std::string& owner) const {
  if (!only_of.has_value() || *only_of == owner) return absl::OkStatus();
  return Refuse(absl::StatusCode::kPermissionDenied, "NOT_YOURS",
                absl::StrCat(what, " is ", owner, "'s; its owner may change it, and operators"));
}

absl::Status ChangeRight::CheckTasks(store::Store* store, const std::vector<TaskRange>& ranges) const {
  if (!only_of.has_value()) return absl::OkStatus();
  for (const TaskRange& range : ranges) {
    const uint64_t end = range.first.value() + range.count;
    for (uint64_t id = range.first.value(); id < end;) {
      MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> task, store->FindTask(TaskId(id)));
      if (!task.has_value()) {  // purged meanwhile: nothing is left to change
        ++id;
        continue;
      }
      const core::SpecificationRow& row = task->specification;
      MUSTER_RETURN_IF_ERROR(Check(absl::StrCat("task ", IdToText(id)), row.spec->owner));
      id = std::max(id + 1, row.first.value() + row.count);
    }
  }
  return absl::OkStatus();
}

ChangeRight RightOf(const grpc::CallbackServerContext& context) {
  const security::Identity caller = rpc::CallerOf(context);
  if (caller.is_local() || security::Meets(caller.role, security::Need::kOperator)) return {};
  return {.only_of = caller.Text()};
}

}  // namespace muster::handler
