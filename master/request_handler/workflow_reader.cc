#include "master/request_handler/workflow_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "master/core/workflow_layout.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/names.h"

namespace muster::handler {
namespace {

constexpr int kDefaultPage = 100;

int PageSize(int32_t asked, int32_t most) { return asked <= 0 ? kDefaultPage : std::min(asked, most); }

absl::Status BadToken() { return RefuseField("BAD_CALL", "page_token", "is none of an answer before"); }

absl::Status NoSuch(const std::string& selector) {
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKFLOW", absl::StrCat("no workflow ", selector, "; `muster flow ls -a` lists them"));
}

bool HasAnyOf(const v1::WorkflowNodeStatus& node, const google::protobuf::RepeatedField<int>& states) {
  if (states.empty()) return true;
  return std::any_of(node.counts().begin(), node.counts().end(), [&](const v1::StateCount& count) {
    return std::find(states.begin(), states.end(), count.state()) != states.end();
  });
}

}  // namespace

absl::StatusOr<store::StoredWorkflow> WorkflowReader::Find(const std::string& selector) {
  std::optional<store::StoredWorkflow> found;
  const bool by_id = selector.rfind("id:", 0) == 0;
  if (const auto id = TextToId(by_id ? selector.substr(3) : selector); id.has_value()) {
    MUSTER_ASSIGN_OR_RETURN(found, context_->deps.store->FindWorkflow(TaskId(*id)));
  }
  if (!found.has_value() && !by_id && IsName(selector, kLongestName)) {
    MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskId> named, context_->deps.store->FindWorkflowsByName(selector, 1));
    if (!named.empty()) {
      MUSTER_ASSIGN_OR_RETURN(found, context_->deps.store->FindWorkflow(named.front()));
    }
  }
  if (!found.has_value()) return NoSuch(IsName(selector, kLongestName) ? selector : "of that name");
  return *std::move(found);
}

absl::Status WorkflowReader::ShowById(TaskId id, v1::Workflow* to) {
  MUSTER_ASSIGN_OR_RETURN(const auto stored, Find(IdToText(id.value())));
  return Show(stored, to);
}

absl::Status WorkflowReader::Show(const store::StoredWorkflow& stored, v1::Workflow* to) {
  using View = std::optional<core::WorkflowView>;
  MUSTER_ASSIGN_OR_RETURN(const View open, AskLoop<View>(context_->deps.inspector, context_->deps.limits.inspect_wait,
                                                         [id = stored.row.id](const core::ClusterCore& core) { return core.FindWorkflow(id); }));
  if (!open.has_value() && !HasEnded(stored.state.state)) {  // it has ended since it was read
    MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredWorkflow> ended, context_->deps.store->FindWorkflow(stored.row.id));
    ToProto(ended.value_or(stored), to);
  } else {
    open.has_value() ? ToProto(*open, to) : ToProto(stored, to);
  }
  v1::WorkflowSpec spec;
  if (spec.ParseFromString(stored.row.spec->payload)) *to->mutable_labels() = spec.labels();
  return absl::OkStatus();
}

absl::Status WorkflowReader::Get(const v1::GetWorkflowRequest& request, v1::GetWorkflowResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(store::StoredWorkflow stored, Find(request.selector()));
  MUSTER_RETURN_IF_ERROR(Show(stored, response->mutable_workflow()));
  return request.without_nodes() ? absl::OkStatus() : ReadNodes(request, stored, response);
}

absl::Status WorkflowReader::ReadNodes(const v1::GetWorkflowRequest& request, const store::StoredWorkflow& stored,
                                        v1::GetWorkflowResponse* response) {
  v1::WorkflowSpec spec;
  if (!spec.ParseFromString(stored.row.spec->payload)) return absl::DataLossError("its specification cannot be read");
  core::WorkflowLayout layout(stored.row.spec->nodes.size());
  std::vector<std::vector<TaskId>> earlier(layout.nodes());
  for (const core::WorkflowPartRow& part : stored.parts) {
    layout.Add(part.tasks);
    for (const NodeTasks& made : part.tasks) earlier[made.node].insert(earlier[made.node].end(), made.replaces.begin(), made.replaces.end());
  }
  size_t from = 0;
  if (!request.page_token().empty() && (!absl::SimpleAtoi(request.page_token(), &from) || from > layout.nodes())) return BadToken();
  const auto page = static_cast<size_t>(PageSize(request.page_size(), context_->deps.limits.page_size));
  for (; from < layout.nodes() && static_cast<size_t>(response->nodes_size()) < page; from += page) {
    const size_t past = std::min(from + page, layout.nodes());
    std::vector<std::vector<TaskRange>> ranges;
    for (size_t node = from; node < past; ++node) ranges.push_back(layout.TasksOf(static_cast<uint32_t>(node)));
    MUSTER_ASSIGN_OR_RETURN(const std::vector<NodeStanding> standings, StandingsOf(ranges));
    for (size_t i = 0; i < ranges.size(); ++i) {
      v1::WorkflowNodeStatus status;
      ToProto(spec.nodes(static_cast<int>(from + i)), ranges[i], earlier[from + i], standings[i], &status);
      if (HasAnyOf(status, request.states())) *response->add_nodes() = std::move(status);
    }
  }
  if (from < layout.nodes()) response->set_next_page_token(absl::StrCat(from));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NodeStanding>> WorkflowReader::StandingsOf(const std::vector<std::vector<TaskRange>>& nodes) {
  using Open = std::vector<NodeStanding>;
  MUSTER_ASSIGN_OR_RETURN(Open standings, AskLoop<Open>(context_->deps.inspector, context_->deps.limits.inspect_wait, [nodes](const core::ClusterCore& core) {
                            Open open(nodes.size());
                            for (size_t i = 0; i < nodes.size(); ++i) {
                              for (const TaskRange& range : nodes[i]) {
                                open[i].count += range.count;
                                core.CountOpenIn(range, open[i].open_by_state);
                              }
                            }
                            return open;
                          }));
  std::vector<TaskRange> all;
  for (const auto& ranges : nodes) all.insert(all.end(), ranges.begin(), ranges.end());
  MUSTER_ASSIGN_OR_RETURN(const std::vector<store::EndCounts> ends, context_->deps.store->CountEnds(all));
  size_t next = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (size_t j = 0; j < nodes[i].size(); ++j) standings[i].ended += ends[next++];
  }
  return standings;
}

absl::Status WorkflowReader::List(const v1::ListWorkflowsRequest& request, v1::ListWorkflowsResponse* response) {
  store::WorkflowQuery query;
  query.limit = static_cast<size_t>(PageSize(request.page_size(), context_->deps.limits.page_size));
  query.owner = request.owner();
  query.ended_too = request.include_finished() ||
                    std::any_of(request.states().begin(), request.states().end(), [](int state) { return state >= v1::WORKFLOW_STATE_SUCCEEDED; });
  uint64_t before = 0;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &before)) return BadToken();
  query.before = TaskId(before);
  MUSTER_ASSIGN_OR_RETURN(const std::vector<store::StoredWorkflow> found, context_->deps.store->ListWorkflows(query));
  for (const store::StoredWorkflow& stored : found) {
    v1::Workflow shown;
    MUSTER_RETURN_IF_ERROR(Show(stored, &shown));
    const auto& states = request.states();
    if (!states.empty() && std::find(states.begin(), states.end(), shown.state()) == states.end()) continue;
    *response->add_workflows() = std::move(shown);
  }
  if (found.size() == query.limit) response->set_next_page_token(absl::StrCat(found.back().row.id.value()));
  return absl::OkStatus();
}

}  // namespace muster::handler
