// What the dependencies of a specification name, as ids: from then on neither a newer task of the same name nor rows
// added to a batch change what is meant. Only what exists can be named, so that no circle of dependencies can be made.
//
//   DependencyResolver resolver(&context->selectors, limits);     // for one call
//   MUSTER_RETURN_IF_ERROR(resolver.Resolve(&spec, "tasks[3]"));  // each of its specifications
//
// Thread rule: one thread; it reads the store, so it runs where blocking is fine. What was resolved once in a call is
// remembered. Errors: INVALID_ARGUMENT UNKNOWN_DEPENDENCY naming the field; as the selector's resolver.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "master/request_handler/limits.h"
#include "master/request_handler/selector.h"
#include "muster/v1/task.pb.h"

namespace muster::handler {

class DependencyResolver {
 public:
  DependencyResolver(SelectorResolver* selectors, const TaskLimits& limits)
      : selectors_(selectors), ranges_left_(limits.call_dependencies) {}

  absl::Status Resolve(v1::TaskSpec* spec, const std::string& path);

 private:
  absl::Status ResolveOne(v1::Dependency* dependency, const std::string& field);
  absl::StatusOr<Selection> Find(const std::string& text);

  SelectorResolver* const selectors_;
  size_t ranges_left_;
  absl::flat_hash_map<std::string, Selection> known_;
};

}  // namespace muster::handler
