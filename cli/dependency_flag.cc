#include "cli/dependency_flag.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/errors.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

absl::Status SetDependency(const std::string& text, v1::Dependency* dependency) {
  size_t colon = text.rfind(':');
  // "name:success" is the task of that name.
  if (colon != std::string::npos && (text.substr(0, colon) == "id" || text.substr(0, colon) == "name")) colon = std::string::npos;
  dependency->set_task(text.substr(0, colon));
  if (dependency->task().empty()) return UsageError("--after: an empty selector; give an id, a batch, a name or last");
  if (colon == std::string::npos) return absl::OkStatus();
  const std::string condition = text.substr(colon + 1);
  if (condition == "success") {
    dependency->set_condition(v1::DEPENDENCY_CONDITION_SUCCESS);
  } else if (condition == "failure") {
    dependency->set_condition(v1::DEPENDENCY_CONDITION_FAILURE);
  } else if (condition == "any") {
    dependency->set_condition(v1::DEPENDENCY_CONDITION_ANY);
  } else {
    return UsageError(absl::StrCat("--after: '", condition, "' is no condition; give SELECTOR, SELECTOR:success, SELECTOR:failure or SELECTOR:any"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AddDependencies(const std::string& text, v1::TaskSpec* spec) {
  for (const std::string& one : std::vector<std::string>(absl::StrSplit(text, ','))) {
    MUSTER_RETURN_IF_ERROR(SetDependency(one, spec->add_dependencies()));
  }
  return absl::OkStatus();
}

absl::Status ResolveDependencies(const RecentTasks& recent, v1::TaskSpec* spec) {
  for (v1::Dependency& dependency : *spec->mutable_dependencies()) {
    MUSTER_ASSIGN_OR_RETURN(*dependency.mutable_task(), recent.ResolveOne(dependency.task()));
  }
  return absl::OkStatus();
}

}  // namespace muster::cli
