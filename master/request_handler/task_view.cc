#include "master/request_handler/task_view.h"

#include <algorithm>
#include <utility>

#include "common/base/id_text.h"
#include "common/convert/convert.h"
#include "common/domain/batch_arguments.h"

namespace muster::handler {
namespace {

constexpr size_t kListCommandBytes = 4096;
constexpr int kListDependencies = 16;

bool Known(absl::Time time) { return time != absl::InfinitePast() && time != absl::InfiniteFuture(); }

void SetEnd(const AttemptEnd& end, int64_t stdout_bytes, int64_t stderr_bytes, v1::AttemptEnd* to) {
  convert::ToProto(end, to);
  if (stdout_bytes > 0) to->mutable_stdout()->set_total_bytes(stdout_bytes);
  if (stderr_bytes > 0) to->mutable_stderr()->set_total_bytes(stderr_bytes);
}

// From the counts alone: a row that was read without its output still says how long the output was.
void SetSummary(const RetainedOutput& output, v1::OutputSummary* to) {
  to->set_total_bytes(output.total_bytes);
  to->set_sha256(output.sha256);
  to->set_omitted_bytes(
      std::max<int64_t>(0, output.total_bytes - RetainedOutput::kHeadBytes - RetainedOutput::kTailBytes));
}

// What a list shows: who it is and what it runs, not what it is fed.
void Shorten(v1::TaskSpec* spec) {
  spec->clear_parameters();
  if (spec->dependencies_size() > kListDependencies) {
    spec->mutable_dependencies()->DeleteSubrange(kListDependencies, spec->dependencies_size() - kListDependencies);
  }
  v1::Command* command = spec->mutable_command();
  command->clear_stdin();
  command->clear_environment();
  if (command->has_script()) command->mutable_script()->clear_content();
  size_t bytes = 0;
  for (int i = 0; i < command->argv_size(); ++i) {
    bytes += command->argv(i).size();
    if (bytes <= kListCommandBytes) continue;
    while (command->argv_size() > i) command->mutable_argv()->RemoveLast();
    command->add_argv("...");
  }
}

void SetSpec(const TaskNote& note, Detail detail, SpecCache* specs, v1::Task* to) {
  if (note.spec == nullptr) return;
  const v1::TaskSpec& spec = specs->Get(note.spec);
  *to->mutable_spec() = spec;
  if (!note.arguments.empty()) FillTemplate(note.arguments, note.batch_index, to->mutable_spec());
  if (detail != Detail::kFull) Shorten(to->mutable_spec());
}

void SetNewestAttempt(const TaskNote& note, Detail detail, v1::Task* to) {
  if (!note.attempt) return;
  v1::Attempt* attempt = to->add_attempts();
  attempt->set_number(note.attempt.value());
  attempt->set_worker(note.worker);
  if (note.incarnation) attempt->set_incarnation(convert::IncarnationText(note.incarnation));
  if (Known(note.dispatched)) convert::ToProto(note.dispatched, attempt->mutable_dispatch_time());
  if (Known(note.started)) convert::ToProto(note.started, attempt->mutable_start_time());
  if (note.terminal() && Known(note.ended)) convert::ToProto(note.ended, attempt->mutable_end_time());
  if (note.end) {
    SetEnd(*note.end, note.stdout_bytes, note.stderr_bytes, attempt->mutable_end());
  } else if (note.end_reason != EndReason::kNone) {
    attempt->mutable_end()->set_reason(static_cast<v1::EndReason>(note.end_reason));
    attempt->mutable_end()->set_message(note.reason);
  }
  if (detail != Detail::kBrief) convert::ToProto(note.outputs, attempt->mutable_outputs());
}

void SetReported(const AttemptReport& report, v1::Attempt* to) {
  if (Known(report.start_time)) convert::ToProto(report.start_time, to->mutable_start_time());
  if (Known(report.end_time)) convert::ToProto(report.end_time, to->mutable_end_time());
  convert::ToProto(report.end, to->mutable_end());
  if (report.stdout_output.total_bytes > 0) SetSummary(report.stdout_output, to->mutable_end()->mutable_stdout());
  if (report.stderr_output.total_bytes > 0) SetSummary(report.stderr_output, to->mutable_end()->mutable_stderr());
  convert::ToProto(report.outputs, to->mutable_outputs());
}

// `end` is an AttemptEndRow or the OutcomeRow: what the cluster made of the attempt, reported or not.
template <typename Row>
void SetEnded(const Row& end, v1::Attempt* to) {
  if (end.report != nullptr) SetReported(*end.report, to);
  if (!to->has_end_time() && Known(end.ended)) convert::ToProto(end.ended, to->mutable_end_time());
  if (end.reason != EndReason::kNone) to->mutable_end()->set_reason(static_cast<v1::EndReason>(end.reason));
  if (to->end().message().empty()) to->mutable_end()->set_message(end.message);
}

}  // namespace

const v1::TaskSpec& SpecCache::Get(const TaskSpecPtr& spec) {
  auto& [held, message] = specs_[spec.get()];
  if (message == nullptr) {
    held = spec;
    message = std::make_unique<v1::TaskSpec>();
    // What was accepted parses; a damaged row shows what could be read of it.
    message->ParseFromString(spec->payload);
    message->set_owner(spec->owner);
    message->set_queue(spec->queue);
    message->set_executor(spec->requirements.executor);
  }
  return *message;
}

void ViewNote(const TaskNote& note, Detail detail, SpecCache* specs, v1::Task* to) {
  to->set_id(IdToText(note.id.value()));
  to->set_state(convert::ToProto(note.state));
  to->set_reason(note.reason);
  if (note.batch) {
    to->set_batch_id(IdToText(note.batch.value()));
    to->set_batch_index(static_cast<int64_t>(note.batch_index));
    to->mutable_batch_arguments()->Assign(note.arguments.begin(), note.arguments.end());
  }
  if (note.retry_of) to->set_retry_of(IdToText(note.retry_of.value()));
  if (note.spec != nullptr) to->set_owner(note.spec->owner);
  if (detail != Detail::kBrief || !note.batch) SetSpec(note, detail, specs, to);
  if (Known(note.created)) convert::ToProto(note.created, to->mutable_create_time());
  if (Known(note.ended)) convert::ToProto(note.ended, to->mutable_end_time());
  to->set_cancel_requested(note.cancel_requested);
  to->set_cancel_reason(note.cancel_reason);
  if (note.terminal()) to->set_exit_code(ExitCodeOf(note));
  to->set_commit(note.commit);
  if (note.straggles.has_value()) {
    convert::ToProto(note.straggles->p90, to->mutable_straggler()->mutable_p90());
    to->mutable_straggler()->set_run_count(static_cast<int32_t>(note.straggles->runs));
  }
  SetNewestAttempt(note, detail, to);
}

void ViewAttempts(const store::StoredTask& task, const TaskNote& note, v1::Task* to) {
  v1::Task newest;
  to->mutable_attempts()->Swap(newest.mutable_attempts());
  for (const core::AttemptRow& row : task.attempts) {
    v1::Attempt* attempt = to->add_attempts();
    attempt->set_number(row.key.number.value());
    attempt->set_worker(row.worker);
    attempt->set_incarnation(convert::IncarnationText(row.incarnation));
    convert::ToProto(row.dispatched, attempt->mutable_dispatch_time());
    for (const core::AttemptEndRow& end : task.attempt_ends) {
      if (end.key.number == row.key.number) SetEnded(end, attempt);
    }
    if (task.outcome && task.outcome->attempt == row.key.number && !attempt->has_end()) SetEnded(*task.outcome, attempt);
    if (!note.terminal() && note.attempt == row.key.number && Known(note.started)) {
      convert::ToProto(note.started, attempt->mutable_start_time());
    }
    for (const core::NoteRow& late : task.notes) {
      if (late.key.number == row.key.number) attempt->add_notes(late.note);
    }
  }
}

void FillTemplate(const std::vector<std::string>& row, uint64_t index, v1::TaskSpec* spec) {
  const FillFor target = spec->command().shell() ? FillFor::kShell : FillFor::kExec;
  const auto fill = [&](google::protobuf::RepeatedPtrField<std::string>* arguments) {
    const std::vector<std::string> filled = FillArguments({arguments->begin(), arguments->end()}, row, index, target);
    arguments->Assign(filled.begin(), filled.end());
  };
  if (spec->has_command()) {
    fill(spec->mutable_command()->mutable_argv());
    for (v1::EnvironmentVariable& variable : *spec->mutable_command()->mutable_environment()) {
      variable.set_value(FillText(variable.value(), row, index));
    }
    spec->mutable_command()->set_working_directory(FillText(spec->command().working_directory(), row, index));
  } else {
    fill(spec->mutable_arguments());
  }
  if (spec->validation().command().empty()) return;
  spec->mutable_validation()->set_command(FillText(spec->validation().command(), row, index, FillFor::kShell));
}

}  // namespace muster::handler
