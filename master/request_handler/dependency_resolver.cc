#include "master/request_handler/dependency_resolver.h"

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::handler {

absl::Status DependencyResolver::Resolve(v1::TaskSpec* spec, const std::string& path) {
  for (int i = 0; i < spec->dependencies_size(); ++i) {
    MUSTER_RETURN_IF_ERROR(ResolveOne(spec->mutable_dependencies(i), absl::StrCat(path, ".dependencies[", i, "].task")));
  }
  return absl::OkStatus();
}

absl::Status DependencyResolver::ResolveOne(v1::Dependency* dependency, const std::string& field) {
  const absl::StatusOr<Selection> selection = Find(dependency->task());
  if (absl::IsNotFound(selection.status()) || absl::IsFailedPrecondition(selection.status())) {
    return RefuseField("UNKNOWN_DEPENDENCY", field, absl::StrCat("cannot be waited for: ", selection.status().message()));
  }
  MUSTER_RETURN_IF_ERROR(selection.status());
  if (selection->ranges.size() > ranges_left_) {
    return RefuseField("BAD_DEPENDENCY", field, "is beyond what one call may wait for (a batch counts once for each call that made it); send fewer tasks in one call");
  }
  ranges_left_ -= selection->ranges.size();
  dependency->set_task(IdToText((selection->batch ? selection->batch : selection->ranges.front().first).value()));
  if (dependency->condition() == v1::DEPENDENCY_CONDITION_UNSPECIFIED) {
    dependency->set_condition(v1::DEPENDENCY_CONDITION_SUCCESS);
  }
  dependency->clear_tasks();
  for (const TaskRange& range : selection->ranges) {
    v1::TaskIdRange* const tasks = dependency->add_tasks();
    tasks->set_first_id(IdToText(range.first.value()));
    tasks->set_count(static_cast<int64_t>(range.count));
  }
  return absl::OkStatus();
}

absl::StatusOr<Selection> DependencyResolver::Find(const std::string& text) {
  if (const auto known = known_.find(text); known != known_.end()) return known->second;
  MUSTER_ASSIGN_OR_RETURN(Selection selection, selectors_->Resolve(text, Purpose::kRead));
  if (selection.ranges.empty()) {
    return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK", absl::StrCat("batch ", text, " has no tasks"));
  }
  return known_[text] = std::move(selection);
}

}  // namespace muster::handler
