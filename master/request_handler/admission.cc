#include "master/request_handler/admission.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::handler {
namespace {

core::SubmitAnswer AnswerAgain(const core::RequestRow& row) {
  core::SubmitAnswer answer;
  answer.tasks = row.tasks;
  answer.batch = row.batch;
  for (const TaskRange& range : row.tasks) answer.batch_size += range.count;
  answer.repeated = true;
  return answer;
}

}  // namespace

void Admission::Admit(std::shared_ptr<core::SubmitTasks> event, Admitted done) {
  if (event->request.id.empty()) {
    Post(std::move(*event), std::move(done));
    return;
  }
  std::string key = absl::StrCat("request/", event->request.owner, "/", event->request.id);
  AdmitOnce(std::move(event), std::move(key), std::move(done));
}

void Admission::AdmitOnce(std::shared_ptr<core::SubmitTasks> event, std::string key, Admitted done) {
  if (!context_->gate.Enter(key, [this, event, key, done] { AdmitOnce(event, key, done); })) return;
  auto leave = [this, key, done = std::move(done)](absl::StatusOr<core::SubmitAnswer> answer) {
    done(std::move(answer));
    context_->gate.Leave(key);
  };
  absl::StatusOr<std::optional<core::SubmitAnswer>> known = FindAnswer(event->request);
  event->id_is_taken = absl::IsAlreadyExists(known.status());  // the core says whether that is all that is wrong
  if (event->id_is_taken) {
    Post(*event, std::move(leave));
  } else if (!known.ok()) {
    leave(std::move(known).status());
  } else if (known->has_value()) {
    leave(**std::move(known));
  } else {
    Post(*event, std::move(leave));
  }
}

absl::StatusOr<std::optional<core::SubmitAnswer>> Admission::FindAnswer(const core::RequestKey& request) const {
  if (request.id.empty()) return std::nullopt;
  MUSTER_ASSIGN_OR_RETURN(const std::optional<core::RequestRow> known,
                          context_->deps.store->FindRequest(request.owner, request.id));
  if (!known.has_value()) return std::nullopt;
  if (known->digest == request.digest) return AnswerAgain(*known);
  return Refuse(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
                absl::StrCat("the request id '", request.id, "' was used for something else; make a fresh one"));
}

void Admission::Post(core::SubmitTasks event, Admitted done) {
  // The loop only hands the answer over: messages are written by the feed's thread.
  event.call = context_->deps.calls->Expect<core::SubmitAnswer>(
      [feed = &context_->feed, done](absl::StatusOr<core::SubmitAnswer> answer) {
        feed->Run([done, answer = std::move(answer)] { done(answer); });
      });
  const CallId call = event.call;
  if (context_->deps.events->Post(std::move(event))) return;
  if (context_->deps.calls->Abandon(call)) done(context_->deps.events->Refusal());
}

}  // namespace muster::handler
