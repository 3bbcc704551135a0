#include "worker/session/attempt_work.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "common/domain/batch_arguments.h"
#include "common/policy/policy.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::worker {
namespace {

constexpr uint64_t kDirectBit = uint64_t{1} << 63;
constexpr char kCommand[] = "command";
constexpr char kDefaultScript[] = "script";
constexpr char kMaster[] = "MUSTER_MASTER";
constexpr char kOwnPrefix[] = "MUSTER_";

// What all tasks of one specification share.
struct Template {
  AttemptWork work;
  OnWorkerLoss on_worker_loss = OnWorkerLoss::kRerun;
  uint32_t slots = 1;
  std::shared_ptr<const v1::TaskSpec> spec;  // where a policy looks at what is put with it
};

OnWorkerLoss LossMode(v1::OnWorkerLoss mode) {
  switch (mode) {
    case v1::ON_WORKER_LOSS_RERUN_AFTER_FENCE: return OnWorkerLoss::kRerunAfterFence;
    case v1::ON_WORKER_LOSS_HOLD: return OnWorkerLoss::kHold;
    default: return OnWorkerLoss::kRerun;
  }
}

// 0, no bound, for what is no number of cores.
int64_t Millis(double cores) {
  constexpr double kMostCores = 1e6;
  return cores > 0 && cores <= kMostCores ? std::llround(cores * 1000) : 0;
}

// A tier that this worker does not know is stricter than all that it knows: the executor refuses what it cannot hold.
plugin::Isolation Tier(v1::Isolation tier) {
  switch (tier) {
    case v1::ISOLATION_UNSPECIFIED:
    case v1::ISOLATION_PLAIN: return plugin::Isolation::kPlain;
    case v1::ISOLATION_LIMITED: return plugin::Isolation::kLimited;
    default: return plugin::Isolation::kStrict;
  }
}

plugin::Command MakeCommand(const v1::Command& from) {
  plugin::Command command;
  command.argv.assign(from.argv().begin(), from.argv().end());
  for (const v1::EnvironmentVariable& variable : from.environment()) {
    command.environment.emplace_back(variable.name(), variable.value());
  }
  command.working_directory = from.working_directory();
  command.stdin_bytes = from.stdin();
  command.shell = from.shell();
  if (from.has_script()) {
    command.script_name = from.script().name().empty() ? kDefaultScript : from.script().name();
    command.script_content = from.script().content();
  }
  return command;
}

Validation MakeValidation(const v1::Validation& from) {
  Validation validation;
  validation.accepted_exit_codes.assign(from.accepted_exit_codes().begin(), from.accepted_exit_codes().end());
  validation.output_pattern = from.output_pattern();
  validation.command = from.command();
  if (from.has_timeout()) validation.timeout = convert::FromProto(from.timeout());
  return validation;
}

Template MakeTemplate(const v1::TaskSpec& spec) {
  Template made;
  AttemptWork& work = made.work;
  work.request.executor = spec.executor().empty() ? kCommand : spec.executor();
  work.request.memory_limit_bytes = spec.requirements().memory_bytes();
  work.request.cpu_limit_millis = Millis(spec.requirements().cpu());
  work.request.isolation = spec.no_network() ? plugin::Isolation::kStrict : Tier(spec.isolation());
  work.request.no_network = spec.no_network();
  work.request.command = MakeCommand(spec.command());
  work.request.arguments.assign(spec.arguments().begin(), spec.arguments().end());
  work.request.parameters_json = "{}";
  if (spec.has_parameters()) {
    work.request.parameters_json.clear();
    if (!google::protobuf::util::MessageToJsonString(spec.parameters(), &work.request.parameters_json).ok()) {
      work.broken = "its parameters cannot be written as JSON";
    }
  }
  if (spec.has_run_timeout()) work.run_timeout = convert::FromProto(spec.run_timeout());
  if (spec.has_kill_grace()) work.kill_grace = convert::FromProto(spec.kill_grace());
  work.lossless = spec.lossless_output();
  work.validation = MakeValidation(spec.validation());
  if (work.request.executor == kCommand) work.outputs.assign(spec.outputs().begin(), spec.outputs().end());
  made.on_worker_loss = LossMode(spec.on_worker_loss());
  made.slots = spec.requirements().slots() == 0 ? 1 : spec.requirements().slots();
  return made;
}

Template ReadTemplate(const std::string& serialized, const Whereabouts& here) {
  v1::TaskSpec spec;
  if (spec.ParseFromString(serialized)) {
    Template made = MakeTemplate(spec);
    if (made.work.broken.empty()) made.work.broken = WhyForbidden(spec, here);
    if (here.policy != nullptr) made.spec = std::make_shared<const v1::TaskSpec>(std::move(spec));
    return made;
  }
  Template made;
  made.work.broken = "its specification cannot be read; the master may be of a newer version";
  return made;
}

void FillIn(const v1::Assignment& assignment, AttemptWork* work) {
  if (assignment.batch_index() == 0 && assignment.arguments().empty()) return;
  const std::vector<std::string> row(assignment.arguments().begin(), assignment.arguments().end());
  const auto index = static_cast<uint64_t>(assignment.batch_index());
  plugin::Request* const request = &work->request;
  plugin::Command& command = request->command;
  if (request->executor == kCommand) {
    command.argv = FillArguments(command.argv, row, index, command.shell ? FillFor::kShell : FillFor::kExec);
  } else {
    request->arguments = FillArguments(request->arguments, row, index);
  }
  for (auto& [name, value] : command.environment) value = FillText(value, row, index);
  command.working_directory = FillText(command.working_directory, row, index);
  work->validation.command = FillText(work->validation.command, row, index, FillFor::kShell);
}

using Environment = std::vector<std::pair<std::string, std::string>>;

// What can be a variable, and is none of ours.
bool IsFree(const v1::NamedValue& variable) {
  constexpr std::string_view kNeverInAName("=\0", 2);
  return !variable.name().empty() && variable.name().find_first_of(kNeverInAName) == std::string::npos &&
         variable.value().find('\0') == std::string::npos && !absl::StartsWith(variable.name(), kOwnPrefix);
}

// What others wrote, as it is: braces in it are no places of a batch's row. The master takes in none that are not free.
void AddVariables(const v1::Assignment& assignment, Environment* environment) {
  for (const v1::NamedValue& variable : assignment.variables()) {
    if (IsFree(variable)) environment->emplace_back(variable.name(), variable.value());
  }
}

// What others wrote comes under names that the policy looks at, too.
std::string WhyVariablesAreForbidden(const v1::Assignment& assignment, const Template& shared, const Whereabouts& here) {
  if (shared.spec == nullptr || assignment.variables_size() == 0) return "";
  v1::TaskSpec with_variables = *shared.spec;
  for (const v1::NamedValue& variable : assignment.variables()) {
    with_variables.mutable_command()->add_environment()->set_name(variable.name());
  }
  return WhyForbidden(with_variables, here);
}

// So that it can submit into its own workflow.
void AddWorkflow(const v1::Assignment& assignment, const std::string& master, Environment* environment) {
  if (assignment.workflow_id().empty()) return;
  const bool own = std::any_of(environment->begin(), environment->end(), [](const auto& one) { return one.first == kMaster; });
  if (!own) environment->emplace_back(kMaster, master);
  environment->emplace_back("MUSTER_WORKFLOW", assignment.workflow_id());
}

void NameIt(const std::string& task, AttemptNumber attempt, const std::string& worker_name, plugin::Request* request) {
  request->task_id = task;
  request->attempt = attempt.value();
  auto& environment = request->command.environment;
  environment.emplace_back("MUSTER_TASK_ID", task);
  environment.emplace_back("MUSTER_ATTEMPT", absl::StrCat(attempt.value()));
  environment.emplace_back("MUSTER_WORKER", worker_name);
}

AttemptWork MakeWork(const v1::Assignment& assignment, const Template& shared, const Whereabouts& here) {
  AttemptWork work = shared.work;
  Environment& environment = work.request.command.environment;
  work.key = convert::FromProto(assignment.key());
  FillIn(assignment, &work);
  AddVariables(assignment, &environment);
  if (work.broken.empty()) work.broken = WhyVariablesAreForbidden(assignment, shared, here);
  AddWorkflow(assignment, here.master, &environment);
  NameIt(IdToText(work.key.task.value()), work.key.number, here.worker, &work.request);
  if (assignment.batch_index() != 0) {
    work.outputs.clear();  // of which task would they be?
    environment.emplace_back("MUSTER_INDEX", absl::StrCat(assignment.batch_index()));
  }
  if (assignment.has_run_timeout()) work.run_timeout = convert::FromProto(assignment.run_timeout());
  if (assignment.has_deadline()) work.deadline = convert::FromProto(assignment.deadline());
  return work;
}

}  // namespace

std::string WhyForbidden(const v1::TaskSpec& spec, const Whereabouts& here) {
  if (here.policy == nullptr) return "";
  const policy::Verdict verdict = here.policy->Judge(spec);
  return verdict.allowed ? "" : absl::StrCat("worker ", here.worker, " does not run it: ", verdict.reason);
}

ReadAssignments ReadAssignmentsOf(const v1::SessionRequest& message, StreamId stream, const Whereabouts& here) {
  std::vector<Template> templates;
  templates.reserve(static_cast<size_t>(message.specs_size()));
  for (const std::string& spec : message.specs()) templates.push_back(ReadTemplate(spec, here));
  Template missing;
  missing.work.broken = "its specification is missing";

  ReadAssignments read;
  read.assigned.reserve(static_cast<size_t>(message.assignments_size()));
  for (const v1::Assignment& assignment : message.assignments()) {
    if (!IsClusterKey(convert::FromProto(assignment.key()))) {
      ++read.malformed;
      continue;
    }
    const Template& shared = assignment.spec() < templates.size() ? templates[assignment.spec()] : missing;
    auto work = std::make_shared<AttemptWork>(MakeWork(assignment, shared, here));
    read.assigned.push_back({.stream = stream,
                             .key = work->key,
                             .slots = shared.slots,
                             .on_worker_loss = shared.on_worker_loss,
                             .prefetched = assignment.prefetched(),
                             .work = std::move(work)});
  }
  return read;
}

AttemptWork MakeDirectWork(const v1::TaskSpec& spec, uint64_t direct, const Whereabouts& here) {
  AttemptWork work = MakeTemplate(spec).work;
  work.key = DirectKey(direct);
  NameIt(DirectName(direct), work.key.number, here.worker, &work.request);
  work.lossless = true;  // the one who asked reads it all
  return work;
}

AttemptKey DirectKey(uint64_t direct) { return {TaskId(kDirectBit | direct), AttemptNumber(1)}; }

std::optional<uint64_t> DirectOf(AttemptKey key) {
  if ((key.task.value() & kDirectBit) == 0) return std::nullopt;
  return key.task.value() & ~kDirectBit;
}

std::string DirectName(uint64_t direct) { return absl::StrCat("direct-", direct); }

bool IsClusterKey(AttemptKey key) {
  return key.task && !DirectOf(key) && key.number && key.number.value() <= kMaxAttemptNumber;
}

void SetDeadline(AttemptWork* work, absl::Time now) {
  absl::Time deadline = work->deadline;
  if (deadline == absl::InfiniteFuture()) deadline = now + work->run_timeout;
  if (deadline == absl::InfiniteFuture()) return;
  work->request.command.environment.emplace_back("MUSTER_DEADLINE", absl::StrCat(absl::ToUnixSeconds(deadline)));
}

}  // namespace muster::worker
