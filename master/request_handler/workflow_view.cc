#include "master/request_handler/workflow_view.h"

#include <algorithm>
#include <string>

#include "common/base/id_text.h"
#include "common/convert/convert.h"

namespace muster::handler {
namespace {

constexpr size_t kMostEarlier = 100;

void AddCount(size_t state, uint64_t count, google::protobuf::RepeatedPtrField<v1::StateCount>* to) {
  if (count == 0) return;
  v1::StateCount* const added = to->Add();
  added->set_state(static_cast<v1::TaskState>(state));
  added->set_count(static_cast<int64_t>(count));
}

void TallyToProto(const core::WorkflowTally& tally, v1::Workflow* to) {
  uint64_t all = 0;
  for (size_t state = 0; state < 16; ++state) {
    AddCount(state, tally.by_state[state], to->mutable_counts());
    all += tally.by_state[state];
  }
  to->set_task_count(static_cast<int64_t>(all));
  to->set_skipped_count(static_cast<int64_t>(tally.skipped));
  to->set_retry_count(static_cast<int32_t>(tally.retries));
}

void SpecToProto(TaskId id, const WorkflowSpec& spec, v1::Workflow* to) {
  to->set_id(IdToText(id.value()));
  to->set_name(spec.name);
  to->set_owner(spec.owner);
  to->set_max_parallel(static_cast<int32_t>(spec.max_parallel));
  to->set_on_failure(static_cast<v1::FailureRule>(spec.on_failure));
}

void TimeToProto(absl::Time time, google::protobuf::Timestamp* (v1::Workflow::*field)(), v1::Workflow* to) {
  if (time != absl::InfinitePast()) convert::ToProto(time, (to->*field)());
}

}  // namespace

void ToProto(const core::WorkflowView& from, v1::Workflow* to) {
  SpecToProto(from.id, *from.spec, to);
  to->set_state(convert::ToProto(from.state));
  to->set_reason(from.reason);
  TimeToProto(from.created, &v1::Workflow::mutable_create_time, to);
  TimeToProto(from.started, &v1::Workflow::mutable_start_time, to);
  TimeToProto(from.ended, &v1::Workflow::mutable_end_time, to);
  TallyToProto(from.tally, to);
  to->set_cancel_requested(from.cancel_requested);
  if (from.time_left) convert::ToProto(*from.time_left, to->mutable_time_left());
}

void ToProto(const store::StoredWorkflow& from, v1::Workflow* to) {
  SpecToProto(from.row.id, *from.row.spec, to);
  to->set_state(convert::ToProto(from.state.state));
  to->set_reason(from.state.reason);
  TimeToProto(from.row.created, &v1::Workflow::mutable_create_time, to);
  TimeToProto(from.state.started, &v1::Workflow::mutable_start_time, to);
  TimeToProto(from.state.ended, &v1::Workflow::mutable_end_time, to);
  TallyToProto(from.state.tally, to);
  to->set_cancel_requested(!from.state.cancelled_by.empty());
}

void ToProto(const v1::WorkflowNode& node, const std::vector<TaskRange>& tasks, const std::vector<TaskId>& earlier,
             const NodeStanding& standing, v1::WorkflowNodeStatus* to) {
  to->set_name(node.name());
  *to->mutable_needs() = node.needs();
  for (const TaskRange& range : tasks) {
    v1::TaskIdRange* const added = to->add_tasks();
    added->set_first_id(IdToText(range.first.value()));
    added->set_count(static_cast<int64_t>(range.count));
  }
  uint64_t ended = 0;
  for (size_t state = 0; state < 16; ++state) ended += standing.ended.by_state[state];
  // What ended between the two looks was seen twice.
  uint64_t open = standing.count - std::min(ended, standing.count);
  for (size_t state = 0; state < 16; ++state) {
    const uint64_t here = std::min(standing.open_by_state[state], open);
    open -= here;
    AddCount(state, here + standing.ended.by_state[state], to->mutable_counts());
  }
  to->set_skipped(standing.ended.skipped > 0 && standing.ended.skipped == standing.count);
  to->set_reason(standing.ended.reason);
  for (size_t i = 0; i < std::min(earlier.size(), kMostEarlier); ++i) to->add_earlier_task_ids(IdToText(earlier[i].value()));
  if (standing.ended.first_start != absl::InfiniteFuture()) convert::ToProto(standing.ended.first_start, to->mutable_start_time());
  if (ended == standing.count && standing.ended.last_end != absl::InfinitePast()) {
    convert::ToProto(standing.ended.last_end, to->mutable_end_time());
  }
}

}  // namespace muster::handler
