// `needs:` and `if:` of a task.
//
//   needs: fetch                        needs: [fetch, {score: any}, "check: failure"]        needs: {fetch: success, score: any}
//   if: fetch.version != "" ; if: city == Bonn ; if: "{{ city }}-{{ year }} == Bonn-2026"
//
// Thread rule: pure. Errors: INVALID_ARGUMENT with file, line and column.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/workflow_file/document.h"
#include "cli/workflow_file/texts.h"
#include "muster/v1/workflow.pb.h"

namespace muster::cli {

struct WrittenNeed {
  Document::Node at;
  v1::Need need;
};
absl::StatusOr<std::vector<WrittenNeed>> ReadNeeds(const Document::Node& node);

// Whether the task of an output is there, and has it, is not looked at.
absl::StatusOr<v1::NodeCondition> ReadCondition(const Document::Node& node, const TaskTexts& texts, const ParameterNames& parameters);

}  // namespace muster::cli
