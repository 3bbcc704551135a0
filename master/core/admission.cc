#include "master/core/admission.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/refusal.h"
#include "master/core/holds.h"

namespace muster::core {
namespace {

constexpr absl::Duration kQueueFullDelay = absl::Seconds(1);
constexpr absl::Duration kShutDownDelay = absl::Seconds(5);
constexpr size_t kMaxVerdicts = 1024;
constexpr size_t kMaxWarnings = 8;

std::string Tasks(uint64_t count) { return absl::StrCat(count, count == 1 ? " task" : " tasks"); }

absl::Status TooLarge(const std::string& what) {
  return Refuse(absl::StatusCode::kFailedPrecondition, kCallTooLarge, what);
}

CallSize SizeOf(const SubmitTasks& event) {
  CallSize size;
  for (const NewTask& task : event.tasks) size.Add(*task.spec, 1);
  if (event.batch_spec != nullptr) size.Add(*event.batch_spec, event.batch_rows == nullptr ? 0 : event.batch_rows->size());
  return size;
}

}  // namespace

void CallSize::Add(const TaskSpec& spec, uint64_t tasks) {
  count += tasks;
  bytes += static_cast<int64_t>(spec.payload.size());
  by_queue[spec.queue] += tasks;
  lowest_priority = std::min(lowest_priority, spec.priority);
}

CallSize SizeOfNodes(const std::vector<NewNode>& nodes) {
  CallSize size;
  for (const NewNode& node : nodes) size.Add(*node.spec, node.rows == nullptr ? 1 : node.rows->size());
  return size;
}

void Admission::Close(const std::string& reason) {
  cluster_.admission_open = false;
  cluster_.admission_closed_because = reason;
}

void Admission::OnSubmit(const Moment& turn, SubmitTasks event) {
  SubmitAnswer answer;
  answer.call = event.call;
  if (AnswerRepeated(turn, event, &answer)) return;
  answer.status = Check(turn, event);
  if (!answer.status.ok()) {
    ++cluster_.counters.refused_submits;
    return turn.Emit(std::move(answer));
  }
  AcceptTasks(turn, event, &answer);
  if (event.batch_rows != nullptr) AcceptBatch(turn, event, &answer);
  Remember(turn, event.request, {event.request.digest, answer.tasks, answer.batch, answer.batch_size});
  turn.Emit(std::move(answer));
}

absl::StatusOr<TaskId> Admission::Accept(const Moment& turn, TaskSpecPtr spec, RequestKey request) {
  SubmitTasks event;
  event.request = std::move(request);
  event.tasks.push_back({.spec = std::move(spec)});
  if (absl::Status refused = Check(turn, event); !refused.ok()) {
    ++cluster_.counters.refused_submits;
    return refused;
  }
  SubmitAnswer answer;
  AcceptTasks(turn, event, &answer);
  Remember(turn, event.request, {event.request.digest, answer.tasks, TaskId(), 0});
  return answer.tasks.front().first;
}

bool Admission::AnswerRepeated(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer) {
  const auto before = FindRepeated(event.request, event.id_is_taken, SizeOf(event));
  if (!before.has_value()) return false;
  answer->status = before->status();
  if (before->ok()) {
    answer->tasks = (*before)->tasks;
    answer->batch = (*before)->batch;
    answer->batch_size = (*before)->batch_size;
    answer->repeated = true;
  }
  turn.Emit(std::move(*answer));
  return true;
}

std::optional<absl::StatusOr<AcceptedRequest>> Admission::FindRepeated(const RequestKey& request, bool id_is_taken,
                                                                       const CallSize& size) {
  if (request.id.empty()) return std::nullopt;
  const AcceptedRequest* const before = requests_.Find(request);
  if (before == nullptr && !id_is_taken) return std::nullopt;
  if (before != nullptr && before->digest == request.digest) return *before;
  ++cluster_.counters.refused_submits;
  // Whoever cut a call that was too large gave its id to a part: the whole, sent again, is to be cut again.
  if (absl::Status fits = CheckSize(size); !fits.ok()) return fits;
  return Refuse(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
                absl::StrCat("request id \"", request.id, "\" was used for other content; draw a new one for each new call"));
}

void Admission::Remember(const Moment& turn, const RequestKey& request, AcceptedRequest accepted) {
  if (request.id.empty()) return;
  turn.rows().requests.push_back({request.owner, request.id, request.digest, accepted.tasks, accepted.batch, turn.now});
  requests_.Add(request, std::move(accepted), turn.now);
}

absl::Status Admission::WouldNeverTake(TaskSpecPtr spec) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (absl::Status known = CheckExecutor(*spec); !known.ok()) return known;
  SubmitTasks event;
  event.tasks.push_back({.spec = std::move(spec)});
  return CheckSize(SizeOf(event));
}

absl::Status Admission::WouldRefuse(TaskSpecPtr spec, absl::Time now) const {
  if (absl::Status never = WouldNeverTake(spec); !never.ok()) return never;
  SubmitTasks event;
  event.tasks.push_back({.spec = std::move(spec)});
  return CheckNow(SizeOf(event), now);
}

absl::Status Admission::WouldNeverTake(const std::vector<NewNode>& nodes) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  for (const NewNode& node : nodes) {
    if (absl::Status known = CheckExecutor(*node.spec); !known.ok()) return known;
  }
  return CheckSize(SizeOfNodes(nodes));
}

absl::Status Admission::WouldRefuse(const std::vector<NewNode>& nodes, absl::Time now) const {
  if (absl::Status never = WouldNeverTake(nodes); !never.ok()) return never;
  return CheckNow(SizeOfNodes(nodes), now);
}

absl::Status Admission::CheckNow(const CallSize& size, absl::Time now) const {
  if (absl::Status delay = CheckDelay(size.lowest_priority, now); !delay.ok()) return delay;
  if (absl::Status queues = CheckQueues(size); !queues.ok()) return queues;
  return CheckRoom(size);
}

absl::Status Admission::CheckOpen() const {
  if (cluster_.admission_open) return absl::OkStatus();
  absl::Status closed = Refuse(absl::StatusCode::kUnavailable, "SHUTTING_DOWN",
                               absl::StrCat("no new tasks: ", cluster_.admission_closed_because));
  SetRetryAfter(&closed, kShutDownDelay);
  return closed;
}

absl::Status Admission::Check(const Moment& turn, const SubmitTasks& event) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (absl::Status full = CheckRequests(event.request); !full.ok()) return full;
  if (event.batch_spec != nullptr && (event.batch_rows == nullptr || event.batch_rows->empty())) {
    return RefuseField("EMPTY_BATCH", "rows", "is empty; a batch needs at least one row");
  }
  for (const NewTask& task : event.tasks) {
    if (absl::Status known = CheckExecutor(*task.spec); !known.ok()) return known;
    if (absl::Status past = CheckDependencies(*task.spec); !past.ok()) return past;
  }
  if (event.batch_spec != nullptr) {
    if (absl::Status known = CheckExecutor(*event.batch_spec); !known.ok()) return known;
    if (absl::Status past = CheckDependencies(*event.batch_spec); !past.ok()) return past;
  }
  return CheckCall(turn, SizeOf(event));
}

absl::Status Admission::CheckNew(const Moment& turn, const RequestKey& request, const std::vector<NewNode>& nodes,
                                 const CallSize& size) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (absl::Status full = CheckRequests(request); !full.ok()) return full;
  for (const NewNode& node : nodes) {
    if (absl::Status known = CheckExecutor(*node.spec); !known.ok()) return known;
  }
  return CheckCall(turn, size);
}

absl::Status Admission::CheckRequests(const RequestKey& request) const {
  if (request.id.empty() || !requests_.full()) return absl::OkStatus();
  return RefuseForNow("QUEUE_FULL", "too many calls with request ids within a minute", kQueueFullDelay);
}

absl::Status Admission::CheckCall(const Moment& turn, const CallSize& size) const {
  if (absl::Status fits = CheckSize(size); !fits.ok()) return fits;
  if (absl::Status queues = CheckQueues(size); !queues.ok()) return queues;
  // A call is accepted whole or not at all: its lowest priority decides.
  cluster_.delay_floor.OnOffer(size.lowest_priority, turn.now);
  if (absl::Status delay = CheckDelay(size.lowest_priority, turn.now); !delay.ok()) return delay;
  return CheckRoom(size);
}

absl::Status Admission::CheckDelay(int32_t priority, absl::Time now) const {
  const DelayFloor& floor = cluster_.delay_floor;
  if (!floor.Refuses(priority, now)) return absl::OkStatus();
  const int32_t lowest_taken = *floor.floor();
  return RefuseForNow("QUEUE_SLOW",
                      absl::StrCat("tasks start ", absl::FormatDuration(absl::Trunc(floor.delay(), absl::Milliseconds(10))),
                                   " after their submit, ", absl::FormatDuration(floor.target()), " is the target: ",
                                   lowest_taken > CallSize::kHighestPriority
                                       ? "few are taken now"
                                       : absl::StrCat("few below priority ", lowest_taken, " are taken now")),
                      floor.RetryAfter(priority));
}

// A call that would not fit into an empty queue never will: no delay helps, only a smaller call or a wider bound.
absl::Status Admission::CheckSize(const CallSize& size) const {
  const uint64_t count = size.count;
  if (count > cluster_.config.max_queued) {
    return TooLarge(absl::StrCat("this call brings ", Tasks(count), ", and at most ", cluster_.config.max_queued,
                                 " may wait; send fewer in one call, or raise queue.max_queued"));
  }
  if (const int64_t bytes = size.bytes; bytes > cluster_.config.max_queued_bytes) {
    return TooLarge(absl::StrCat("this call brings ", bytes, " bytes of tasks, and what waits may take ",
                                 cluster_.config.max_queued_bytes,
                                 "; send less in one call, or raise queue.max_queued_bytes"));
  }
  for (const auto& [queue, added] : size.by_queue) {
    const uint64_t most = cluster_.queue_table.SettingsOf(queue).max_queued;
    if (most == 0 || added <= most) continue;
    return TooLarge(absl::StrCat("this call brings ", Tasks(added), " to queue ", queue, ", where at most ", most,
                                 " may wait; send fewer in one call, or let more wait: muster queue set ", queue,
                                 " --max-queued ", added));
  }
  return absl::OkStatus();
}

absl::Status Admission::CheckRoom(const CallSize& size) const {
  const uint64_t waiting = cluster_.tasks.waiting();
  const uint64_t count = size.count;
  if (waiting + count > cluster_.config.max_queued) {
    return RefuseForNow("QUEUE_FULL",
                        absl::StrCat(waiting, " of at most ", cluster_.config.max_queued,
                                     " tasks wait already, and this call brings ", count),
                        kQueueFullDelay);
  }
  const int64_t waiting_bytes = cluster_.tasks.waiting_bytes() + cluster_.workflows.value_bytes();
  const int64_t bytes = size.bytes;
  if (waiting_bytes + bytes > cluster_.config.max_queued_bytes) {
    return RefuseForNow("QUEUE_FULL",
                        absl::StrCat("what waits takes ", waiting_bytes, " of at most ", cluster_.config.max_queued_bytes,
                                     " bytes already, and this call brings ", bytes),
                        kQueueFullDelay);
  }
  return absl::OkStatus();
}

// Each queue's own bound on what waits in it.
absl::Status Admission::CheckQueues(const CallSize& size) const {
  for (const auto& [queue, added] : size.by_queue) {
    const uint64_t most = cluster_.queue_table.SettingsOf(queue).max_queued;
    const uint64_t waiting = cluster_.gates.waiting(queue);
    if (most == 0 || waiting + added <= most) continue;
    return RefuseForNow("QUEUE_FULL",
                        absl::StrCat("queue ", queue, " has ", waiting, " of at most ", most,
                                     " waiting tasks, and this call brings ", added),
                        kQueueFullDelay);
  }
  return absl::OkStatus();
}

absl::Status Admission::CheckExecutor(const TaskSpec& spec) const {
  const std::string& name = spec.requirements.executor;
  const auto& known = cluster_.config.known_executors;
  if (std::find(known.begin(), known.end(), name) != known.end()) return absl::OkStatus();
  if (cluster_.offered_executors.contains(name)) return absl::OkStatus();
  std::set<std::string> names(known.begin(), known.end());
  for (const auto& offered : cluster_.offered_executors) names.insert(offered.first);
  return RefuseField("UNKNOWN_EXECUTOR", "task.executor",
                     absl::StrCat("\"", name, "\" is not configured and no worker ever offered it; known: ",
                                  absl::StrJoin(names, ", ")));
}

// Only what exists can be named, so that nothing can wait for itself, however far around.
absl::Status Admission::CheckDependencies(const TaskSpec& spec) const {
  const bool past = std::all_of(spec.dependencies.begin(), spec.dependencies.end(), [this](const Dependency& dependency) {
    return dependency.tasks.first < cluster_.next_id &&
           dependency.tasks.count <= cluster_.next_id.value() - dependency.tasks.first.value();
  });
  if (past) return absl::OkStatus();
  return RefuseField("UNKNOWN_DEPENDENCY", "task.dependencies", "name a task that does not exist");
}

void Admission::AcceptTasks(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer) {
  if (event.tasks.empty()) return;
  const TaskRange range{cluster_.next_id, event.tasks.size()};
  for (const NewTask& task : event.tasks) {
    SpecificationRow row;
    row.spec = task.spec;
    row.retry_of = task.retry_of;
    Warn(*Accept(turn, std::move(row), answer), 1, &answer->warnings);
  }
  answer->tasks.push_back(range);
  turn.Log(activity::TaskAccepted{range, TaskId(), event.tasks.front().spec->owner, event.tasks.front().spec->queue});
}

void Admission::AcceptBatch(const Moment& turn, const SubmitTasks& event, SubmitAnswer* answer) {
  const bool is_new = !event.extend_batch;
  const TaskId batch = is_new ? cluster_.next_id : event.extend_batch;
  if (is_new) cluster_.next_id = cluster_.next_id.Next();
  answer->batch = batch;
  answer->batch_size = (is_new ? 0 : event.extend_from) + event.batch_rows->size();
  if (event.batch_rows->empty()) return;
  SpecificationRow row;
  row.count = event.batch_rows->size();
  row.batch = batch;
  row.first_index = (is_new ? 0 : event.extend_from) + 1;
  row.spec = event.batch_spec;
  row.rows = event.batch_rows;
  const TaskRange range{cluster_.next_id, row.count};
  Warn(*Accept(turn, std::move(row), answer), range.count, &answer->warnings);
  answer->tasks.push_back(range);
  turn.Log(activity::TaskAccepted{range, batch, event.batch_spec->owner, event.batch_spec->queue});
}

TaskSpecPtr Admission::Accept(const Moment& turn, SpecificationRow row, SubmitAnswer* answer, TaskId workflow,
                              uint32_t node) {
  row.first = cluster_.next_id;
  row.created = turn.now;
  cluster_.next_id = TaskId(cluster_.next_id.value() + row.count);
  cluster_.counters.accepted += row.count;
  SpecificationRow settled = row;
  settled.spec = cluster_.Settled(row.spec);
  const TaskGroupPtr group = MakeTaskGroup(std::move(settled), workflow, node);
  if (!group->row.spec->dependencies.empty()) {
    cluster_.dependencies.Add({row.first, row.count}, group->row.spec, cluster_.open_in());
  }
  TaskState state = TaskState::kNone;
  for (uint64_t index = 0; index < row.count; ++index) {
    state = transitions_.Admit(turn, *cluster_.tasks.Add(TaskId(row.first.value() + index), group));
  }
  if (answer->state == TaskState::kNone) answer->state = state;
  turn.Emit(TasksAccepted{{row.first, row.count}, row.batch, row.first_index, row.spec, state, turn.now});
  turn.rows().specifications.push_back(std::move(row));
  return group->row.spec;
}

void Admission::Warn(const TaskSpec& spec, uint64_t count, std::vector<std::string>* warnings) {
  if (verdicts_.size() > kMaxVerdicts) verdicts_.clear();
  Verdict& verdict = verdicts_[spec.requirements];
  if (verdict.revision != cluster_.offers_revision) {
    verdict = {cluster_.offers_revision, cluster_.balancer.WhyInfeasible(spec.requirements)};
    if (std::string why = WhyClusterNeverHas(cluster_, spec.requirements); !why.empty()) verdict.reasons.push_back(std::move(why));
  }
  if (!verdict.reasons.empty()) cluster_.counters.accepted_impossible += count;
  for (const std::string& reason : verdict.reasons) {
    if (warnings->size() >= kMaxWarnings) return;
    if (std::find(warnings->begin(), warnings->end(), reason) == warnings->end()) {
      warnings->push_back(reason);
    }
  }
}

}  // namespace muster::core
