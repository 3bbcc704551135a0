#include "common/convert/convert.h"

#include <algorithm>
#include <optional>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/digest.h"
#include "common/base/id_text.h"
#include "common/domain/isolation.h"
#include "common/domain/validation.h"

namespace muster::convert {
namespace {

constexpr double kMillisPerCore = 1000.0;
constexpr double kMostCores = 1e12;
constexpr int64_t kMostSeconds = 315'576'000'000;  // of a protobuf Duration: 10,000 years

// What is no number of cores is none.
int64_t Millis(double cores) {
  return cores > 0 ? static_cast<int64_t>(std::min(cores, kMostCores) * kMillisPerCore) : 0;
}

std::vector<std::pair<std::string, std::string>> Pairs(const google::protobuf::RepeatedPtrField<v1::Label>& labels) {
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(static_cast<size_t>(labels.size()));
  for (const v1::Label& label : labels) pairs.emplace_back(label.key(), label.value());
  return pairs;
}

std::vector<std::string> Strings(const google::protobuf::RepeatedPtrField<std::string>& from) {
  return {from.begin(), from.end()};
}

std::vector<std::pair<std::string, int64_t>> Named(const google::protobuf::RepeatedPtrField<v1::Resource>& from) {
  std::vector<std::pair<std::string, int64_t>> named;
  for (const v1::Resource& resource : from) named.emplace_back(resource.name(), resource.amount());
  std::sort(named.begin(), named.end());
  return named;
}

void AddNamed(const ResourceAmounts& from, google::protobuf::RepeatedPtrField<v1::Resource>* to) {
  for (const auto& [name, amount] : from.named) {
    v1::Resource* const resource = to->Add();
    resource->set_name(name);
    resource->set_amount(amount);
  }
}

std::vector<Need> Needs(const google::protobuf::RepeatedPtrField<std::string>& from) {
  std::vector<Need> needs;
  for (const std::string& text : from) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      needs.push_back({.name = text});
    } else {
      needs.push_back({.name = text.substr(0, equals), .value = text.substr(equals + 1), .has_value = true});
    }
  }
  std::sort(needs.begin(), needs.end());
  needs.erase(std::unique(needs.begin(), needs.end()), needs.end());
  return needs;
}

// What is likely to run equally long: the executor and its command, arguments of a batch not yet put in.
uint64_t Fingerprint(const v1::TaskSpec& message) {
  QuickHash hash;
  hash.Update(message.executor());
  for (const std::string& argument : message.command().argv()) hash.Update(argument);
  for (const std::string& argument : message.arguments()) hash.Update(argument);
  if (message.command().has_script()) hash.Update(message.command().script().content());
  if (!message.validation().command().empty()) hash.Update(message.validation().command());  // it takes the slot, too
  if (message.has_parameters()) hash.Update(Deterministic(message.parameters()));
  return hash.value();
}

bool IsValidated(const v1::TaskSpec& message) {
  const v1::Validation& validation = message.validation();
  return !validation.accepted_exit_codes().empty() || !validation.output_pattern().empty() || !validation.command().empty();
}

// As if it had been asked for, at its place.
void AddNeed(const char* capability, std::vector<Need>* needs) {
  const Need need{.name = capability};
  needs->insert(std::upper_bound(needs->begin(), needs->end(), need), need);
  needs->erase(std::unique(needs->begin(), needs->end()), needs->end());
}

Requirements MakeRequirements(const v1::TaskSpec& message) {
  const v1::Requirements& from = message.requirements();
  Requirements requirements;
  requirements.executor = message.executor().empty() ? "command" : message.executor();
  requirements.needs = Needs(from.needs());
  requirements.excludes = Needs(from.avoids());
  // A worker of before would take the end of the command for the end of it all.
  if (IsValidated(message)) AddNeed(kValidationCapability, &requirements.needs);
  if (message.isolation() == v1::ISOLATION_LIMITED) AddNeed(kLimitedCapability, &requirements.needs);
  if (message.isolation() == v1::ISOLATION_STRICT) AddNeed(kStrictCapability, &requirements.needs);
  if (v1::Arrangement_IsValid(from.arrangement())) requirements.arrangement = static_cast<Arrangement>(from.arrangement());
  requirements.resources.slots = from.slots() == 0 ? 1 : from.slots();
  requirements.resources.cpu_millis = Millis(from.cpu());
  requirements.resources.memory_bytes = from.memory_bytes();
  requirements.resources.disk_bytes = from.disk_bytes();
  requirements.resources.named = Named(from.resources());
  return requirements;
}

}  // namespace

std::string Deterministic(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  {
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

void ToProto(absl::Time from, google::protobuf::Timestamp* to) {
  // The years that the message may hold (1 to 9999): one more and its whole JSON is refused.
  from = std::clamp(from, absl::FromUnixSeconds(-62135596800), absl::FromUnixSeconds(253402300799));
  const int64_t seconds = absl::ToUnixSeconds(from);
  to->set_seconds(seconds);
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(from - absl::FromUnixSeconds(seconds))));
}

absl::Time FromProto(const google::protobuf::Timestamp& from) {
  return absl::FromUnixSeconds(from.seconds()) + absl::Nanoseconds(from.nanos());
}

void ToProto(absl::Duration from, google::protobuf::Duration* to) {
  // What the message may hold: one more second and its whole JSON is refused.
  from = std::clamp(from, -absl::Seconds(kMostSeconds), absl::Seconds(kMostSeconds));
  absl::Duration rest;
  to->set_seconds(absl::IDivDuration(from, absl::Seconds(1), &rest));
  to->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
}

absl::Duration FromProto(const google::protobuf::Duration& from) {
  return absl::Seconds(from.seconds()) + absl::Nanoseconds(from.nanos());
}

RetryPolicy FromProto(const v1::RetryPolicy& from) {
  RetryPolicy policy;
  if (from.max_attempts() != 0) policy.max_attempts = from.max_attempts();
  if (from.has_base_delay()) policy.base_delay = FromProto(from.base_delay());
  if (from.has_max_delay()) policy.max_delay = FromProto(from.max_delay());
  policy.on_exit_codes.assign(from.on_exit_codes().begin(), from.on_exit_codes().end());
  policy.never_on_exit_codes.assign(from.never_on_exit_codes().begin(), from.never_on_exit_codes().end());
  return policy;
}

OnWorkerLoss FromProto(v1::OnWorkerLoss mode) {
  switch (mode) {
    case v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE: return OnWorkerLoss::kRerunAfterFence;
    case v1::ON_WORKER_LOSS_HOLD: return OnWorkerLoss::kHold;
    default: return OnWorkerLoss::kRerun;
  }
}

namespace {

// A range that cannot be read is one that nobody knows, not one that may be left out.
TaskRange RangeFrom(const v1::TaskIdRange& from) {
  const std::optional<uint64_t> first = TextToId(from.first_id());
  if (!first || from.count() <= 0) return {};
  return {TaskId(*first), static_cast<uint64_t>(from.count())};
}

// Serialized messages that stand one behind the other are one message: what workers need goes first.
void AddDependencies(const v1::TaskSpec& message, TaskSpec* spec) {
  for (const v1::Dependency& from : message.dependencies()) {
    const DependencyCondition condition = FromProto(from.condition());
    const size_t before = spec->dependencies.size();
    bool is_known = !from.tasks().empty();
    for (int i = 0; i < from.tasks_size() && is_known; ++i) {
      spec->dependencies.push_back({RangeFrom(from.tasks(i)), condition, i > 0});
      is_known = spec->dependencies.back().tasks.count > 0;
    }
    if (is_known) continue;
    spec->dependencies.resize(before);
    spec->dependencies.push_back({});
  }
  v1::TaskSpec rest = message;
  v1::TaskSpec waits;
  waits.mutable_dependencies()->Swap(rest.mutable_dependencies());
  const std::string tail = waits.SerializeAsString();
  spec->payload = rest.SerializeAsString() + tail;
  spec->dependency_bytes = tail.size();
}

}  // namespace

DependencyCondition FromProto(v1::DependencyCondition condition) {
  switch (condition) {
    case v1::DEPENDENCY_CONDITION_FAILURE: return DependencyCondition::kFailure;
    case v1::DEPENDENCY_CONDITION_ANY: return DependencyCondition::kAny;
    default: return DependencyCondition::kSuccess;
  }
}

TaskSpecPtr MakeTaskSpec(const v1::TaskSpec& message, std::string payload) {
  auto spec = std::make_shared<TaskSpec>();
  spec->name = message.name();
  if (!message.queue().empty()) spec->queue = message.queue();
  spec->owner = message.owner();
  spec->priority = message.priority();
  spec->requirements = MakeRequirements(message);
  spec->retry = FromProto(message.retry());
  spec->on_worker_loss = FromProto(message.on_worker_loss());
  if (message.max_worker_losses() != 0) spec->max_worker_losses = message.max_worker_losses();
  if (message.has_run_timeout()) spec->run_timeout = FromProto(message.run_timeout());
  if (message.has_queue_timeout()) spec->queue_timeout = FromProto(message.queue_timeout());
  if (message.has_kill_grace()) spec->kill_grace = FromProto(message.kill_grace());
  if (message.has_start_time()) spec->start_time = FromProto(message.start_time());
  spec->labels = Pairs(message.labels());
  spec->limit_key = message.limit_key();
  spec->limit = message.limit();
  const auto& accepted = message.validation().accepted_exit_codes();
  spec->accepted_exit_codes.assign(accepted.begin(), accepted.end());
  spec->lossless_output = message.lossless_output();
  spec->in_workflow = message.in_workflow();
  spec->outputs.assign(message.outputs().begin(), message.outputs().end());
  spec->fingerprint = Fingerprint(message);
  spec->payload = std::move(payload);
  if (message.dependencies_size() > 0) AddDependencies(message, spec.get());
  return spec;
}

std::string CommandText(const TaskSpec& spec) {
  v1::TaskSpec message;
  message.ParseFromString(spec.payload);  // of a damaged one, as much as can be read
  std::vector<std::string> words;
  if (spec.requirements.executor != "command") words.push_back(absl::StrCat("[", spec.requirements.executor, "]"));
  if (message.command().has_script()) words.push_back(absl::StrCat("./", message.command().script().name()));
  words.insert(words.end(), message.command().argv().begin(), message.command().argv().end());
  words.insert(words.end(), message.arguments().begin(), message.arguments().end());
  return absl::StrJoin(words, " ");
}

void ToProto(const LearnedRunTimes& from, v1::RunTimes* to) {
  to->set_fingerprint(absl::StrCat(absl::Hex(from.fingerprint, absl::kZeroPad16)));
  to->set_command(from.command);
  to->set_run_count(static_cast<int64_t>(from.runs));
  to->set_failed_count(static_cast<int64_t>(from.failures));
  std::vector<absl::Duration> sorted = from.newest;
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty()) {
    ToProto(QuantileOf(sorted, 0.5), to->mutable_p50());
    ToProto(QuantileOf(sorted, 0.9), to->mutable_p90());
    ToProto(sorted.back(), to->mutable_max());
  }
  if (from.last > absl::UnixEpoch()) ToProto(from.last, to->mutable_last_time());
  for (const LearnedRunTimes::Place& place : from.places) {
    v1::WorkerRuns* const worker = to->add_workers();
    worker->set_worker(place.worker);
    worker->set_count(static_cast<int64_t>(place.runs));
  }
}

v1::TaskState ToProto(TaskState state) { return static_cast<v1::TaskState>(state); }

TaskState FromProto(v1::TaskState state) {
  return v1::TaskState_IsValid(state) ? static_cast<TaskState>(state) : TaskState::kNone;
}

void ToProto(AttemptKey from, v1::AttemptKey* to) {
  to->set_task(from.task.value());
  to->set_attempt(from.number.value());
}

AttemptKey FromProto(const v1::AttemptKey& from) {
  return {TaskId(from.task()), AttemptNumber(from.attempt())};
}

void ToProto(const CapacityOrigins& from, v1::CapacityOrigins* to) {
  to->set_slots(static_cast<v1::CapacityOrigin>(from.slots));
  to->set_cpu(static_cast<v1::CapacityOrigin>(from.cpu));
  to->set_memory(static_cast<v1::CapacityOrigin>(from.memory));
  to->set_disk(static_cast<v1::CapacityOrigin>(from.disk));
}

CapacityOrigins FromProto(const v1::CapacityOrigins& from) {
  const auto known = [](v1::CapacityOrigin origin) {
    return v1::CapacityOrigin_IsValid(origin) ? static_cast<CapacityOrigin>(origin) : CapacityOrigin::kUnknown;
  };
  return {known(from.slots()), known(from.cpu()), known(from.memory()), known(from.disk())};
}

void ToProto(const ResourceAmounts& from, v1::WorkerUse* to) {
  to->set_slots(from.slots);
  to->set_cpu(static_cast<double>(from.cpu_millis) / kMillisPerCore);
  to->set_memory_bytes(from.memory_bytes);
  to->set_disk_bytes(from.disk_bytes);
  AddNamed(from, to->mutable_resources());
}

void ToProto(const WorkerOffer& from, v1::WorkerOffer* to) {
  to->set_slots(from.capacity.slots);
  to->set_cpu(static_cast<double>(from.capacity.cpu_millis) / kMillisPerCore);
  to->set_memory_bytes(from.capacity.memory_bytes);
  to->set_disk_bytes(from.capacity.disk_bytes);
  AddNamed(from.capacity, to->mutable_resources());
  ToProto(from.origins, to->mutable_origins());
  for (const auto& [key, value] : from.labels) {
    v1::Label* label = to->add_labels();
    label->set_key(key);
    label->set_value(value);
  }
  for (const ExecutorOffer& executor : from.executors) {
    v1::ExecutorOffer* offer = to->add_executors();
    offer->set_name(executor.name);
    offer->set_version(executor.version);
    offer->set_healthy(executor.healthy);
    offer->set_reason(executor.reason);
    offer->mutable_capabilities()->Assign(executor.capabilities.begin(), executor.capabilities.end());
    offer->set_parameter_schema(executor.parameter_schema);
  }
  to->mutable_capabilities()->Assign(from.capabilities.begin(), from.capabilities.end());
}

WorkerOffer FromProto(const v1::WorkerOffer& from) {
  WorkerOffer offer;
  offer.capacity.slots = from.slots();
  offer.capacity.cpu_millis = Millis(from.cpu());
  offer.capacity.memory_bytes = from.memory_bytes();
  offer.capacity.disk_bytes = from.disk_bytes();
  offer.capacity.named = Named(from.resources());
  offer.origins = FromProto(from.origins());
  offer.labels = Pairs(from.labels());
  for (const v1::ExecutorOffer& executor : from.executors()) {
    offer.executors.push_back({.name = executor.name(),
                               .version = executor.version(),
                               .healthy = executor.healthy(),
                               .reason = executor.reason(),
                               .capabilities = Strings(executor.capabilities()),
                               .parameter_schema = executor.parameter_schema()});
  }
  offer.capabilities = Strings(from.capabilities());
  return offer;
}

void ToProto(const WorkerLoad& from, v1::WorkerLoad* to) {
  to->set_load_average(from.load_average);
  to->set_free_memory_bytes(from.free_memory_bytes);
  to->set_free_disk_bytes(from.free_disk_bytes);
  to->set_running(from.running);
  to->set_refuses_because(from.refuses_because);
  to->set_kill_tier(from.kill_tier);
  to->set_isolation(from.isolation);
}

WorkerLoad FromProto(const v1::WorkerLoad& from) {
  return {.load_average = from.load_average(),
          .free_memory_bytes = from.free_memory_bytes(),
          .free_disk_bytes = from.free_disk_bytes(),
          .running = from.running(),
          .refuses_because = from.refuses_because(),
          .kill_tier = from.kill_tier(),
          .isolation = from.isolation()};
}

void ToProto(const WorkerView& from, v1::Worker* to) {
  to->set_name(from.name);
  to->set_state(static_cast<v1::WorkerState>(from.state));
  to->set_reason(from.reason);
  to->set_incarnation(IncarnationText(from.incarnation));
  to->set_address(from.address);
  to->set_version(from.version);
  ToProto(from.offer, to->mutable_offer());
  ToProto(from.load, to->mutable_load());
  to->set_weight(from.weight);
  to->set_used_slots(from.used.slots);
  ToProto(from.used, to->mutable_used());
  to->set_prefetched(from.prefetched);
  // Expected after a restart, and not seen yet: it has no times.
  if (from.join_time > absl::UnixEpoch()) ToProto(from.join_time, to->mutable_join_time());
  if (from.heartbeat_time > absl::UnixEpoch()) ToProto(from.heartbeat_time, to->mutable_heartbeat_time());
  to->set_ended_count(from.ended_count);
  to->set_failed_count(from.failed_count);
}

std::string IncarnationText(Incarnation incarnation) {
  return absl::StrCat(absl::Hex(incarnation.value(), absl::kZeroPad16));
}

}  // namespace muster::convert
