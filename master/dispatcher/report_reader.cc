#include "master/dispatcher/report_reader.h"

#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"
#include "common/domain/named_value.h"
#include "muster/v1/worker_service.pb.h"

namespace muster::dispatcher {
namespace {

constexpr size_t kMostReasonBytes = 1024;

std::string Cut(const std::string& text) { return text.substr(0, kMostReasonBytes); }

bool IsPossible(v1::EndReason reason) {
  return reason != v1::END_REASON_UNSPECIFIED && v1::EndReason_IsValid(reason);
}

}  // namespace

bool IsPossible(const v1::AttemptKey& key) {
  return key.task() != 0 && key.attempt() != 0 && key.attempt() <= kMaxAttemptNumber;
}

absl::StatusOr<core::SessionOpened> ReadHello(const v1::Hello& hello, WorkerId worker, SessionNumber session) {
  if (!hello.refused_because().empty()) {
    return absl::FailedPreconditionError(absl::StrCat("the worker refused the session: ", Cut(hello.refused_because())));
  }
  if (hello.incarnation() == 0) return absl::InvalidArgumentError("the worker's Hello names no incarnation");
  core::SessionOpened opened{.worker = worker, .session = session, .incarnation = Incarnation(hello.incarnation())};
  opened.held.reserve(static_cast<size_t>(hello.held_size()));
  for (const v1::HeldAttempt& held : hello.held()) {
    using Phase = core::HeldAttempt::Phase;
    Phase phase;
    switch (held.phase()) {
      case v1::HeldAttempt::PHASE_ACCEPTED: phase = Phase::kAccepted; break;
      case v1::HeldAttempt::PHASE_RUNNING: phase = Phase::kRunning; break;
      case v1::HeldAttempt::PHASE_FINISHED: phase = Phase::kFinished; break;
      case v1::HeldAttempt::PHASE_VALIDATING: phase = Phase::kValidating; break;
      default: return absl::InvalidArgumentError("the worker's Hello holds an attempt in no known phase");
    }
    // Leaving one out would prove that it never started: no session rather than a false proof.
    if (!IsPossible(held.key())) return absl::InvalidArgumentError("the worker's Hello holds an impossible attempt");
    opened.held.push_back({convert::FromProto(held.key()), phase});
  }
  return opened;
}

namespace {

void ReadStarts(const google::protobuf::RepeatedPtrField<v1::AttemptStart>& from, Reports* reports,
                std::vector<core::AttemptStartedReport>* to) {
  to->reserve(static_cast<size_t>(from.size()));
  for (const v1::AttemptStart& start : from) {
    if (dispatcher::IsPossible(start.key())) {
      to->push_back({convert::FromProto(start.key()), convert::FromProto(start.time())});
    } else {
      ++reports->malformed;
    }
  }
}

// Of something that may be a success; each name once.
void KeepPossibleOutputs(v1::AttemptResult* result, Reports* reports) {
  if (result->outputs_size() == 0) return;
  const bool exited = result->end().reason() == v1::END_REASON_EXITED;
  std::set<std::string_view> names;
  google::protobuf::RepeatedPtrField<v1::NamedValue> kept;
  for (const v1::NamedValue& one : result->outputs()) {
    const bool possible = exited && names.size() < kMostOutputs && IsOutputName(one.name()) && IsOutputValue(one.value()) &&
                          names.insert(one.name()).second;
    if (possible) {
      *kept.Add() = one;
    } else {
      ++reports->malformed;
    }
  }
  result->mutable_outputs()->Swap(&kept);
}

}  // namespace

Reports ReadReports(v1::SessionResponse* message, WorkerId worker, SessionNumber session) {
  Reports reports;
  core::WorkerReports& event = reports.event;
  event.worker = worker;
  event.session = session;
  event.results.reserve(static_cast<size_t>(message->results_size()));
  ReadStarts(message->started(), &reports, &event.started);
  ReadStarts(message->validating(), &reports, &event.validating);
  for (v1::AttemptResult& result : *message->mutable_results()) {
    if (!IsPossible(result.key()) || !IsPossible(result.end().reason())) {
      ++reports.malformed;
      continue;
    }
    KeepPossibleOutputs(&result, &reports);
    event.results.push_back(convert::FromProto(&result));
  }
  for (const v1::AttemptKey& key : message->given_back()) {
    if (!IsPossible(key)) {
      ++reports.malformed;
      continue;
    }
    event.given_back.push_back(convert::FromProto(key));
  }
  for (const v1::Refusal& refusal : message->refused()) {
    if (!IsPossible(refusal.key())) {
      ++reports.malformed;
      continue;
    }
    event.refused.push_back({convert::FromProto(refusal.key()), Cut(refusal.reason())});
  }
  return reports;
}

}  // namespace muster::dispatcher
