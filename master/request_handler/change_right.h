// Whose tasks a caller may change: a submitter its own, an operator everyone's, and so may whoever is on loopback.
//
//   const ChangeRight right = RightOf(*context);
//   MUSTER_RETURN_IF_ERROR(right.CheckTasks(store, ranges));
//
// Thread rule: a value; CheckTasks blocks on the store. Errors: PERMISSION_DENIED NOT_YOURS, naming whose it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <grpcpp/server_context.h>

#include "absl/status/status.h"
#include "common/domain/ids.h"
#include "master/store/store.h"

namespace muster::handler {

struct ChangeRight {
  std::optional<std::string> only_of = {};  // nothing: of everyone

  // Of one thing, as "workflow 7".
  absl::Status Check(const std::string& what, const std::string& owner) const;
  // One look at the store for each specification, however many tasks it has.
  absl::Status CheckTasks(store::Store* store, const std::vector<TaskRange>& ranges) const;
};

ChangeRight RightOf(const grpc::CallbackServerContext& context);

}  // namespace muster::handler
