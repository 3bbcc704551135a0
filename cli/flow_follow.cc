#include "cli/flow_follow.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/text.h"
#include "cli/workflow_page.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Milliseconds(500);
constexpr int kMostFailuresTold = 10;
constexpr int kFailed = 1;

bool HasEnded(const v1::Workflow& workflow) { return workflow.state() >= v1::WORKFLOW_STATE_SUCCEEDED; }

// What failed by itself, the first few.
absl::StatusOr<bool> TellFailures(Session& session, Client& client, const std::string& id) {
  v1::GetWorkflowRequest request;
  request.set_selector(id);
  request.set_page_size(1000);
  for (const v1::TaskState state : {v1::TASK_STATE_FAILED, v1::TASK_STATE_TIMED_OUT, v1::TASK_STATE_LOST, v1::TASK_STATE_POISONED}) {
    request.add_states(state);
  }
  MUSTER_ASSIGN_OR_RETURN(const v1::GetWorkflowResponse page, client.GetWorkflow(request));
  for (int i = 0; i < std::min(page.nodes_size(), kMostFailuresTold); ++i) {
    const v1::WorkflowNodeStatus& node = page.nodes(i);
    const std::string task = node.tasks_size() > 0 ? node.tasks(0).first_id() : "";
    const bool one = node.tasks_size() == 1 && node.tasks(0).count() == 1;
    session.terminal().Say(absl::StrCat(node.name(), " (", one ? absl::StrCat("task ", task) : CountsText({node.counts().begin(), node.counts().end()}),
                                        ") failed", node.reason().empty() ? "" : ": ", node.reason()));
  }
  if (page.nodes_size() > kMostFailuresTold || !page.next_page_token().empty()) session.terminal().Say("and more; `muster flow get` shows all");
  return page.nodes_size() > 0;
}

}  // namespace

absl::StatusOr<v1::GetWorkflowResponse> ReadFlow(Client& client, const std::string& selector) {
  v1::GetWorkflowRequest request;
  request.set_selector(selector);
  request.set_page_size(1000);
  v1::GetWorkflowResponse whole;
  while (true) {
    MUSTER_ASSIGN_OR_RETURN(v1::GetWorkflowResponse page, client.GetWorkflow(request));
    request.set_selector(page.workflow().id());  // a name may mean another one by the next page
    request.set_page_token(page.next_page_token());
    *whole.mutable_workflow() = page.workflow();
    whole.mutable_nodes()->MergeFrom(page.nodes());
    if (page.next_page_token().empty()) return whole;
  }
}

absl::StatusOr<v1::Workflow> WaitForFlow(Session& session, const std::string& selector) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::GetWorkflowRequest request;
  request.set_selector(selector);
  request.set_without_nodes(true);
  for (absl::Duration pause = kFirstPause;; pause = std::min(pause * 1.5, kLongestPause)) {
    MUSTER_ASSIGN_OR_RETURN(const v1::GetWorkflowResponse now, client->GetWorkflow(request));
    request.set_selector(now.workflow().id());
    if (HasEnded(now.workflow())) {
      session.terminal().ClearProgress();
      return now.workflow();
    }
    session.terminal().Progress(PlainText(WorkflowProgress(now.workflow())));
    if (absl::Status paused = client->Pause(pause); !paused.ok()) {
      session.terminal().ClearProgress();
      if (IsInterrupted(paused)) {
        session.terminal().Say(absl::StrCat("workflow ", now.workflow().id(), " goes on; `muster flow get -w ", now.workflow().id(),
                                            "` follows it again, `muster flow cancel ", now.workflow().id(), "` ends it"));
      }
      return paused;
    }
  }
}

absl::StatusOr<int> FollowFlow(Session& session, const std::string& selector, Format format) {
  MUSTER_ASSIGN_OR_RETURN(const v1::Workflow ended, WaitForFlow(session, selector));
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  const absl::Time end = convert::FromProto(ended.end_time());
  const absl::Time start = ended.has_start_time() ? convert::FromProto(ended.start_time()) : end;
  if (ended.state() == v1::WORKFLOW_STATE_FAILED) {
    MUSTER_ASSIGN_OR_RETURN(const bool told, TellFailures(session, *client, ended.id()));
    if (!told) session.terminal().Say(absl::StrCat("workflow ", ended.id(), " ", ended.reason()));
  }
  session.terminal().Say(absl::StrCat("workflow ", ended.id(), " ", StateName(ended.state()), " after ", DurationText(end - start), ": ",
                                      WorkflowTallyText(ended)));
  if (IsData(format)) PrintMessage(format, ended);
  if (format == Format::kName) Print(absl::StrCat(ended.id(), "\n"));
  switch (ended.state()) {
    case v1::WORKFLOW_STATE_SUCCEEDED: return 0;
    case v1::WORKFLOW_STATE_FAILED:
      session.terminal().Say(absl::StrCat("`muster flow retry ", ended.id(), "` runs again what failed and what hangs on it"));
      return kFailed;
    default: return kExitFailed;
  }
}

}  // namespace muster::cli
