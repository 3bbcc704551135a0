#include "master/request_handler/workflow_service.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"
#include "common/rpc/status.h"
#include "master/core/recovered_workflows.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/context.h"
#include "master/request_handler/names.h"
#include "master/request_handler/task_view.h"
#include "master/request_handler/validate.h"
#include "master/request_handler/workflow_plan.h"
#include "master/request_handler/workflow_retry.h"
#include "master/request_handler/workflow_view.h"
#include "master/workflows/plan.h"

namespace muster::handler {
namespace {

constexpr int kDefaultPage = 100;
constexpr int64_t kMostHeldBytes = int64_t{256} << 20;  // of calls whose messages are still coming, or being checked

int PageSize(int32_t asked, int32_t most) { return asked <= 0 ? kDefaultPage : std::min(asked, most); }

absl::Status BadToken() { return RefuseField("BAD_CALL", "page_token", "is none of an answer before"); }

absl::Status NoSuch(const std::string& selector) {
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_WORKFLOW", absl::StrCat("no workflow ", selector, "; `muster flow ls -a` lists them"));
}

absl::Status Ended(WorkflowState state) {
  return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_HAS_ENDED",
                absl::StrCat("it has ended ", std::string(WorkflowStateName(state)), " already"));
}

v1::RunWorkflowRequest AsRun(v1::RunWorkflowRequest request) { return request; }
v1::RunWorkflowRequest AsRun(v1::PlanWorkflowRequest request) {
  v1::RunWorkflowRequest run;
  run.mutable_workflow()->Swap(request.mutable_workflow());
  run.mutable_parameters()->Swap(request.mutable_parameters());
  return run;
}

bool HasAnyOf(const v1::WorkflowNodeStatus& node, const google::protobuf::RepeatedField<int>& states) {
  if (states.empty()) return true;
  return std::any_of(node.counts().begin(), node.counts().end(), [&](const v1::StateCount& count) {
    return std::find(states.begin(), states.end(), count.state()) != states.end();
  });
}

}  // namespace

// Collects the messages of a call; then `whole` is told, on the thread that read the last one.
template <typename Request>
class WorkflowService::PartsReactor final : public grpc::ServerReadReactor<Request> {
 public:
  using Whole = std::function<void(std::shared_ptr<WorkflowIntake>, Done)>;

  PartsReactor(WorkflowService* service, Context* context, Whole whole)
      : service_(service), context_(context), whole_(std::move(whole)) {
    this->StartRead(&part_);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok && context_->IsCancelled()) return End(absl::CancelledError("the call broke off"));
    if (!ok) return whole_(intake_, [this](const absl::Status& status) { End(status); });
    held_ += static_cast<int64_t>(part_.ByteSizeLong());
    if (service_->held_bytes_.fetch_add(static_cast<int64_t>(part_.ByteSizeLong())) > kMostHeldBytes) {
      return End(RefuseForNow("MASTER_BUSY", "too many large workflows are on their way", absl::Seconds(1)));
    }
    const absl::Status added = intake_->Add(AsRun(std::move(part_)));
    if (!added.ok()) return End(added);
    part_.Clear();
    this->StartRead(&part_);
  }
  void OnDone() override {
    service_->held_bytes_.fetch_sub(held_);
    delete this;
  }
  void End(const absl::Status& status) {
    service_->Count(context_, status);
    this->Finish(rpc::ToGrpc(status));
  }

  WorkflowService* const service_;
  Context* const context_;
  const Whole whole_;
  const std::shared_ptr<WorkflowIntake> intake_ = std::make_shared<WorkflowIntake>();
  Request part_;
  int64_t held_ = 0;  // counted of service_->held_bytes_
};

grpc::ServerReadReactor<v1::RunWorkflowRequest>* WorkflowService::Run(Context* context, v1::RunWorkflowResponse* response) {
  return new PartsReactor<v1::RunWorkflowRequest>(this, context, [this, response](auto intake, const Done& done) {
    if (!pool_.Post([this, intake, response, done] { Accept(intake, response, done); })) done(PoolIsFull());
  });
}

grpc::ServerReadReactor<v1::PlanWorkflowRequest>* WorkflowService::Plan(Context* context, v1::PlanWorkflowResponse* response) {
  return new PartsReactor<v1::PlanWorkflowRequest>(this, context, [this, response](auto intake, const Done& done) {
    if (!pool_.Post([this, intake, response, done] { done(MakePlan(intake.get(), response)); })) done(PoolIsFull());
  });
}

void WorkflowService::Accept(std::shared_ptr<WorkflowIntake> intake, v1::RunWorkflowResponse* response, Done done) {
  core::RequestKey request{.id = intake->whole().request_id()};
  if (!request.id.empty()) request.digest = DigestOf(intake->whole());
  absl::StatusOr<CheckedWorkflow> checked = CheckWorkflow(&intake->whole(), deps_.limits);
  if (!checked.ok()) return done(checked.status());
  const std::vector<TaskSpecPtr> specs = AcceptNodes(deps_.queues, &checked->spec);
  const auto times = MedianTimes(specs);
  if (!times.ok()) return done(times.status());
  absl::flat_hash_map<uint64_t, absl::Duration> known;
  for (size_t i = 0; i < specs.size(); ++i) {
    if ((*times)[i].has_value()) known[specs[i]->fingerprint] = *(*times)[i];
  }
  request.owner = specs.front()->owner;
  TaskId before;
  bool id_is_taken = false;
  if (absl::Status looked = LookUp(request, &before, &id_is_taken); !looked.ok()) return done(looked);
  if (before) return done(ShowById(before, response->mutable_workflow()));
  core::SubmitWorkflow event = MakeSubmitWorkflow(*std::move(checked), specs, [&known](uint64_t fingerprint) {
    const auto found = known.find(fingerprint);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  });
  event.request = std::move(request);
  event.id_is_taken = id_is_taken;
  Post(std::move(event), [this, response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (!answer.ok()) return done(answer.status());
    if (answer->repeated) {
      const auto show = [this, id = answer->id, response, done] { done(ShowById(id, response->mutable_workflow())); };
      if (!pool_.Post(show)) done(PoolIsFull());
      return;
    }
    ToProto(answer->workflow, response->mutable_workflow());
    response->mutable_warnings()->Assign(answer->warnings.begin(), answer->warnings.end());
    done(absl::OkStatus());
  });
}

absl::Status WorkflowService::MakePlan(WorkflowIntake* intake, v1::PlanWorkflowResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(CheckedWorkflow checked, CheckWorkflow(&intake->whole(), deps_.limits));
  const std::vector<TaskSpecPtr> specs = AcceptNodes(deps_.queues, &checked.spec);
  MUSTER_ASSIGN_OR_RETURN(const auto times, MedianTimes(specs));
  ToProto(workflows::MakePlan(checked.graph, times), checked.graph, checked.spec, response);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::optional<absl::Duration>>> WorkflowService::MedianTimes(const std::vector<TaskSpecPtr>& specs) {
  std::vector<uint64_t> fingerprints;
  fingerprints.reserve(specs.size());
  for (const TaskSpecPtr& spec : specs) fingerprints.push_back(spec->fingerprint);
  using Times = std::vector<std::optional<absl::Duration>>;
  return AskLoop<Times>(deps_.inspector, deps_.limits.inspect_wait,
                        [fingerprints = std::move(fingerprints)](const core::ClusterCore& core) { return core.MedianTimes(fingerprints); });
}

absl::Status WorkflowService::LookUp(const core::RequestKey& request, TaskId* known, bool* id_is_taken) {
  if (request.id.empty()) return absl::OkStatus();
  MUSTER_ASSIGN_OR_RETURN(const auto row, deps_.store->FindRequest(request.owner, request.id));
  if (!row.has_value()) return absl::OkStatus();
  *id_is_taken = row->digest != request.digest;
  if (!*id_is_taken) *known = row->batch;
  return absl::OkStatus();
}

// --- Reads.

absl::StatusOr<store::StoredWorkflow> WorkflowService::Find(const std::string& selector) {
  std::optional<store::StoredWorkflow> found;
  const bool by_id = selector.rfind("id:", 0) == 0;
  if (const auto id = TextToId(by_id ? selector.substr(3) : selector); id.has_value()) {
    MUSTER_ASSIGN_OR_RETURN(found, deps_.store->FindWorkflow(TaskId(*id)));
  }
  if (!found.has_value() && !by_id && IsName(selector, kLongestName)) {
    MUSTER_ASSIGN_OR_RETURN(const std::vector<TaskId> named, deps_.store->FindWorkflowsByName(selector, 1));
    if (!named.empty()) {
      MUSTER_ASSIGN_OR_RETURN(found, deps_.store->FindWorkflow(named.front()));
    }
  }
  if (!found.has_value()) return NoSuch(IsName(selector, kLongestName) ? selector : "of that name");
  return *std::move(found);
}

absl::Status WorkflowService::ShowById(TaskId id, v1::Workflow* to) {
  MUSTER_ASSIGN_OR_RETURN(const auto stored, Find(IdToText(id.value())));
  return Show(stored, to);
}

absl::Status WorkflowService::Show(const store::StoredWorkflow& stored, v1::Workflow* to) {
  using View = std::optional<core::WorkflowView>;
  MUSTER_ASSIGN_OR_RETURN(const View open, AskLoop<View>(deps_.inspector, deps_.limits.inspect_wait,
                                                         [id = stored.row.id](const core::ClusterCore& core) { return core.FindWorkflow(id); }));
  if (!open.has_value() && !HasEnded(stored.state.state)) {  // it has ended since it was read
    MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredWorkflow> ended, deps_.store->FindWorkflow(stored.row.id));
    ToProto(ended.value_or(stored), to);
  } else {
    open.has_value() ? ToProto(*open, to) : ToProto(stored, to);
  }
  v1::WorkflowSpec spec;
  if (spec.ParseFromString(stored.row.spec->payload)) *to->mutable_labels() = spec.labels();
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* WorkflowService::Get(Context* context, const v1::GetWorkflowRequest* request, v1::GetWorkflowResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  OnPool(context, reactor, [this, request, response](const Done& done) { done(ReadOne(*request, response)); });
  return reactor;
}

absl::Status WorkflowService::ReadOne(const v1::GetWorkflowRequest& request, v1::GetWorkflowResponse* response) {
  MUSTER_ASSIGN_OR_RETURN(store::StoredWorkflow stored, Find(request.selector()));
  MUSTER_RETURN_IF_ERROR(Show(stored, response->mutable_workflow()));
  return request.without_nodes() ? absl::OkStatus() : ReadNodes(request, stored, response);
}

absl::Status WorkflowService::ReadNodes(const v1::GetWorkflowRequest& request, const store::StoredWorkflow& stored,
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
  const auto page = static_cast<size_t>(PageSize(request.page_size(), deps_.limits.page_size));
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

absl::StatusOr<std::vector<NodeStanding>> WorkflowService::StandingsOf(const std::vector<std::vector<TaskRange>>& nodes) {
  using Open = std::vector<NodeStanding>;
  MUSTER_ASSIGN_OR_RETURN(Open standings, AskLoop<Open>(deps_.inspector, deps_.limits.inspect_wait, [nodes](const core::ClusterCore& core) {
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
  MUSTER_ASSIGN_OR_RETURN(const std::vector<store::EndCounts> ends, deps_.store->CountEnds(all));
  size_t next = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (size_t j = 0; j < nodes[i].size(); ++j) standings[i].ended += ends[next++];
  }
  return standings;
}

grpc::ServerUnaryReactor* WorkflowService::List(Context* context, const v1::ListWorkflowsRequest* request,
                                                v1::ListWorkflowsResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  OnPool(context, reactor, [this, request, response](const Done& done) { done(ReadMany(*request, response)); });
  return reactor;
}

absl::Status WorkflowService::ReadMany(const v1::ListWorkflowsRequest& request, v1::ListWorkflowsResponse* response) {
  store::WorkflowQuery query;
  query.limit = static_cast<size_t>(PageSize(request.page_size(), deps_.limits.page_size));
  query.owner = request.owner();
  query.ended_too = request.include_finished() ||
                    std::any_of(request.states().begin(), request.states().end(), [](int state) { return state >= v1::WORKFLOW_STATE_SUCCEEDED; });
  uint64_t before = 0;
  if (!request.page_token().empty() && !absl::SimpleAtoi(request.page_token(), &before)) return BadToken();
  query.before = TaskId(before);
  MUSTER_ASSIGN_OR_RETURN(const std::vector<store::StoredWorkflow> found, deps_.store->ListWorkflows(query));
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

// --- Changes.

grpc::ServerUnaryReactor* WorkflowService::Cancel(Context* context, const v1::CancelWorkflowRequest* request,
                                                  v1::CancelWorkflowResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  OnPool(context, reactor, [this, request, response, by = PeerHost(*context)](const Done& done) {
    CancelOne(*request, by, response, done);
  });
  return reactor;
}

void WorkflowService::CancelOne(const v1::CancelWorkflowRequest& request, const std::string& by, v1::CancelWorkflowResponse* response,
                                const Done& done) {
  if (absl::Status reason = CheckReason(request.reason()); !reason.ok()) return done(reason);
  const absl::StatusOr<store::StoredWorkflow> stored = Find(request.selector());
  if (!stored.ok()) return done(stored.status());
  if (HasEnded(stored->state.state)) return done(Ended(stored->state.state));
  core::CancelWorkflow event{.workflow = stored->row.id, .by = by, .reason = request.reason()};
  Post(std::move(event), [response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (answer.ok()) ToProto(answer->workflow, response->mutable_workflow());
    done(answer.status());
  });
}

grpc::ServerUnaryReactor* WorkflowService::Retry(Context* context, const v1::RetryWorkflowRequest* request,
                                                 v1::RetryWorkflowResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  OnPool(context, reactor, [this, request, response](const Done& done) { RetryOne(*request, response, done); });
  return reactor;
}

void WorkflowService::RetryOne(const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response, const Done& done) {
  Violations violations;
  CheckRequestId(request.request_id(), &violations);
  if (!violations.empty()) return done(violations.ToStatus());
  const absl::StatusOr<store::StoredWorkflow> found = Find(request.selector());
  if (!found.ok()) return done(found.status());
  // One at a time of a workflow: what is to be tried again is read, and decided on, before the core takes it.
  const TaskId id = found->row.id;
  const std::string turn = absl::StrCat(id.value());
  const auto again = [this, &request, response, done] {
    if (!pool_.PostAlways([this, &request, response, done] { RetryOne(request, response, done); })) done(PoolIsFull());
  };
  if (!retries_.Enter(turn, again)) return;
  RetryInTurn(id, request, response, [this, turn, done](const absl::Status& status) {
    done(status);
    retries_.Leave(turn);
  });
}

void WorkflowService::RetryInTurn(TaskId id, const v1::RetryWorkflowRequest& request, v1::RetryWorkflowResponse* response, const Done& done) {
  const absl::StatusOr<store::StoredWorkflow> stored = Find(absl::StrCat("id:", IdToText(id.value())));
  if (!stored.ok()) return done(stored.status());
  core::RequestKey key{.owner = stored->row.spec->owner, .id = request.request_id()};
  if (!key.id.empty()) key.digest = DigestOf(request);
  TaskId before;
  bool id_is_taken = false;
  if (absl::Status looked = LookUp(key, &before, &id_is_taken); !looked.ok()) return done(looked);
  if (before) {
    for (const NodeTasks& made : stored->parts.back().tasks) response->set_task_count(response->task_count() + static_cast<int64_t>(made.tasks.count));
    return done(Show(*stored, response->mutable_workflow()));
  }
  int64_t task_count = 0;
  absl::StatusOr<core::RetryWorkflow> event = PrepareRetry(*stored, &task_count);
  if (!event.ok()) return done(event.status());
  event->request = std::move(key);
  event->id_is_taken = id_is_taken;
  Post(*std::move(event), [this, stored = *stored, task_count, response, done](const absl::StatusOr<core::WorkflowAnswer>& answer) {
    if (!answer.ok()) return done(answer.status());
    response->set_task_count(task_count);
    if (!answer->repeated) {
      ToProto(answer->workflow, response->mutable_workflow());
      return done(absl::OkStatus());
    }
    if (!pool_.Post([this, stored, response, done] { done(Show(stored, response->mutable_workflow())); })) done(PoolIsFull());
  });
}

absl::StatusOr<core::RetryWorkflow> WorkflowService::PrepareRetry(const store::StoredWorkflow& stored, int64_t* task_count) {
  if (!HasEnded(stored.state.state)) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_IS_OPEN", "it has not ended; what failed can be tried again when it has");
  }
  if (stored.state.state == WorkflowState::kSucceeded) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "NOTHING_FAILED", "nothing of it failed: there is nothing to try again");
  }
  MUSTER_ASSIGN_OR_RETURN(const std::vector<core::RecoveredEnd> ends, deps_.store->WorkflowEnds(stored));
  uint64_t count = 0;
  for (const uint64_t in_state : stored.state.tally.by_state) count += in_state;
  if (ends.size() != count) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_PURGED", "some of its tasks are past retention; run it again as a whole");
  }
  const WorkflowSpec& spec = *stored.row.spec;
  WorkflowRetry retry = ChooseRetry(spec, OrderOf(spec), ends);
  if (retry.nodes.empty()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "NOTHING_FAILED", "nothing of it failed: there is nothing to try again");
  }
  core::RetryWorkflow event{.workflow = stored.row, .parts = stored.parts, .kept = std::move(retry.kept)};
  for (const RetriedNode& retried : retry.nodes) {
    *task_count += static_cast<int64_t>(retried.tasks.size());
    for (const TaskId id : retried.tasks) {
      MUSTER_ASSIGN_OR_RETURN(core::NewNode node, MakeAgain(retried.node, id));
      event.nodes.push_back(std::move(node));
    }
  }
  return event;
}

// As a task of its own, also when it was a row: its place in the batch is put into its texts.
absl::StatusOr<core::NewNode> WorkflowService::MakeAgain(uint32_t node, TaskId id) {
  MUSTER_ASSIGN_OR_RETURN(const std::optional<store::StoredTask> task, deps_.store->FindTask(id));
  if (!task.has_value()) {
    return Refuse(absl::StatusCode::kFailedPrecondition, "WORKFLOW_PURGED", "some of its tasks are past retention; run it again as a whole");
  }
  const core::SpecificationRow& row = task->specification;
  core::NewNode made;
  made.node = node;
  made.replaces = {id};
  if (row.rows == nullptr) {
    made.spec = std::make_shared<TaskSpec>(*row.spec);
    return made;
  }
  v1::TaskSpec message;
  message.ParseFromString(row.spec->payload);
  FillTemplate((*row.rows)[id.value() - row.first.value()], task->batch_index, &message);
  made.spec = std::make_shared<TaskSpec>(*AcceptSpec(&message));
  return made;
}

// --- What they share.

template <typename Event>
void WorkflowService::Post(Event event, std::function<void(const absl::StatusOr<core::WorkflowAnswer>&)> done) {
  event.call = deps_.calls->Expect<core::WorkflowAnswer>([done](absl::StatusOr<core::WorkflowAnswer> answer) { done(answer); });
  const CallId call = event.call;
  if (deps_.events->Post(std::move(event))) return;
  if (deps_.calls->Abandon(call)) done(deps_.events->Refusal());
}

void WorkflowService::OnPool(Context* context, grpc::ServerUnaryReactor* reactor, std::function<void(Done)> work) {
  const Done done = [this, context, reactor](const absl::Status& status) {
    Count(context, status);
    reactor->Finish(rpc::ToGrpc(status));
  };
  if (!pool_.Post([work = std::move(work), done] { work(done); })) done(PoolIsFull());
}

void WorkflowService::Count(Context* context, const absl::Status& status) {
  if (deps_.refusals != nullptr && !muster::ReasonOf(status).empty()) deps_.refusals->Count(status, PeerHost(*context));
}

}  // namespace muster::handler
