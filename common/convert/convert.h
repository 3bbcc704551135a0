// Between the domain's types and the API's messages, both ways. No policy: validation is the request handler's.
// Thread rule: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "common/domain/activity.h"
#include "common/domain/attempt.h"
#include "common/domain/named_value.h"
#include "common/domain/placement_settings.h"
#include "common/domain/queue_settings.h"
#include "common/domain/run_times.h"
#include "common/domain/task_spec.h"
#include "common/domain/task_state.h"
#include "common/domain/worker.h"
#include "common/domain/workflow.h"
#include "muster/v1/cluster.pb.h"
#include "muster/v1/queue.pb.h"
#include "muster/v1/task.pb.h"
#include "muster/v1/worker_service.pb.h"
#include "muster/v1/workflow.pb.h"

namespace muster::convert {

void ToProto(absl::Time from, google::protobuf::Timestamp* to);
absl::Time FromProto(const google::protobuf::Timestamp& from);
void ToProto(absl::Duration from, google::protobuf::Duration* to);
absl::Duration FromProto(const google::protobuf::Duration& from);

// The domain's part of an accepted specification. `payload` is message.SerializeAsString(). Unset fields get their
// defaults; nothing is checked. Dependencies are moved to the payload's end, where workers are not sent them.
TaskSpecPtr MakeTaskSpec(const v1::TaskSpec& message, std::string payload);

// What it runs, in one line for people: "sh -c 'exit {}'", "[http] get".
std::string CommandText(const TaskSpec& spec);

RetryPolicy FromProto(const v1::RetryPolicy& from);
void ToProto(const RetryPolicy& from, v1::RetryPolicy* to);
DependencyCondition FromProto(v1::DependencyCondition condition);
OnWorkerLoss FromProto(v1::OnWorkerLoss mode);
v1::OnWorkerLoss ToProto(OnWorkerLoss mode);

// The domain's part of a workflow that was checked; `payload` is what is stored of it. Names of nodes that are not there
// need nothing.
WorkflowSpecPtr MakeWorkflowSpec(const v1::WorkflowSpec& message, std::string owner, std::string payload);
WorkflowState FromProto(v1::WorkflowState state);
v1::WorkflowState ToProto(WorkflowState state);

void ToProto(const QueueSettings& from, v1::QueueSettings* to);
QueueSettings FromProto(const v1::QueueSettings& from);
void ToProto(const QueueView& from, v1::Queue* to);
void ToProto(const PlacementView& from, v1::Placement* to);

v1::TaskState ToProto(TaskState state);
TaskState FromProto(v1::TaskState state);
void ToProto(const NamedValues& from, google::protobuf::RepeatedPtrField<v1::NamedValue>* to);  // appends
NamedValues FromProto(const google::protobuf::RepeatedPtrField<v1::NamedValue>& from);
void ToProto(const AttemptEnd& from, v1::AttemptEnd* to);
AttemptEnd FromProto(const v1::AttemptEnd& from);
void ToProto(const RetainedOutput& from, v1::RetainedOutput* to, v1::OutputSummary* summary);
AttemptReportPtr FromProto(v1::AttemptResult* from);  // takes the output bytes
void ToProto(const AttemptReport& from, v1::AttemptResult* to);
void ToProto(AttemptKey from, v1::AttemptKey* to);
AttemptKey FromProto(const v1::AttemptKey& from);

void ToProto(const LearnedRunTimes& from, v1::RunTimes* to);

void ToProto(const CapacityOrigins& from, v1::CapacityOrigins* to);
CapacityOrigins FromProto(const v1::CapacityOrigins& from);  // one of the future is not known
void ToProto(const ResourceAmounts& from, v1::WorkerUse* to);
void ToProto(const WorkerOffer& from, v1::WorkerOffer* to);
WorkerOffer FromProto(const v1::WorkerOffer& from);
void ToProto(const WorkerLoad& from, v1::WorkerLoad* to);
WorkerLoad FromProto(const v1::WorkerLoad& from);
void ToProto(const WorkerView& from, v1::Worker* to);
void ToProto(const activity::Record& from, v1::ActivityRecord* to);  // commit and index are the store's
activity::Record FromProto(const v1::ActivityRecord& from);

// A message's bytes, the entries of its maps in one order: without, each copy of a message has its own.
std::string Deterministic(const google::protobuf::Message& message);
std::string IncarnationText(Incarnation incarnation);  // 16 hexadecimal digits

}  // namespace muster::convert
