#include "master/core/workflow_words.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/id_text.h"

namespace muster::core {

std::string WhatFailed(const WorkflowCounts& counts) {
  const std::string task = IdToText(counts.first_failed.value());
  return absl::StrCat(counts.broke_at.empty()
                          ? absl::StrCat("task ", task, " ended ", std::string(TaskStateName(counts.failed_as)))
                          : absl::StrCat("broke at task ", task, ": ", absl::StripPrefix(counts.broke_at, kValueWords)),
                      counts.failed > 1 ? absl::StrCat(", and ", counts.failed - 1, " more failed") : "");
}

std::string ReasonOf(const Workflow& workflow) {
  if (!workflow.broken.empty()) return workflow.broken;
  if (!workflow.cancelled_by.empty()) {
    return absl::StrCat("cancelled by ", workflow.cancelled_by, workflow.cancel_reason.empty() ? "" : ": ", workflow.cancel_reason);
  }
  if (workflow.counts.failed > 0) return WhatFailed(workflow.counts);
  return "";
}

WorkflowView ViewOf(const Workflow& workflow) {
  WorkflowView view;
  view.id = workflow.id;
  view.spec = workflow.spec;
  view.state = workflow.state;
  view.reason = ReasonOf(workflow);
  if (view.reason.empty() && workflow.state == WorkflowState::kPending) view.reason = "waits for its turn: workflows.max_running";
  view.created = workflow.created;
  view.started = workflow.started;
  view.cancel_requested = !workflow.cancelled_by.empty();
  view.tally = workflow.counts;
  view.tally.retries = workflow.layout.retries();
  return view;
}

}  // namespace muster::core
