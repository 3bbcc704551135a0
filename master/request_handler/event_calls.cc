#include "master/request_handler/event_calls.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/id_text.h"
#include "common/base/refusal.h"
#include "common/base/reworded.h"
#include "common/base/status_macros.h"
#include "common/convert/event_json.h"
#include "common/runtime/fresh_id.h"
#include "master/request_handler/ask_loop.h"
#include "master/request_handler/event_run.h"
#include "master/request_handler/names.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr size_t kLongestEventId = 128;

absl::Status CheckEvent(const v1::SendEventRequest& event) {
  if (!IsName(event.event(), kLongestName)) {
    return RefuseField("BAD_NAME", "event", absl::StrCat("must be 1 to ", kLongestName, " characters of [A-Za-z0-9._-]"));
  }
  const bool printable = std::all_of(event.id().begin(), event.id().end(), [](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
  if (event.id().size() > kLongestEventId || !printable) {
    return RefuseField("BAD_EVENT", "id", absl::StrCat("must be at most ", kLongestEventId, " bytes without blanks"));
  }
  size_t bytes = 0;
  for (const auto& [name, value] : event.parameters()) bytes += name.size() + value.size();
  if (bytes > convert::kMostEventBytes || event.parameters().size() > convert::kMostEventParameters) {
    return RefuseField("BAD_EVENT", "parameters", absl::StrCat("are ", event.parameters().size(), " with ", bytes, " bytes; at most ",
                                                               convert::kMostEventParameters, " with ", convert::kMostEventBytes >> 10,
                                                               " KiB: pass large data in files"));
  }
  return absl::OkStatus();
}

// One for each event and schedule; '/' keeps the parts apart, for no name has one. A schedule that was removed and added again is
// another one. The content is not compared: who sends an event again may have stamped it anew.
core::RequestKey KeyOf(const v1::SendEventRequest& event, const EventTrigger& trigger) {
  return {.owner = trigger.owner,
          .id = absl::StrCat("event/", trigger.schedule, "/", absl::ToUnixMillis(trigger.created), "/", event.event(), "/", event.id()),
          .digest = Sha256::Of("event")};
}

// Who gave the event no id can send it again only by the one that was drawn.
absl::Status WithDrawnId(const absl::Status& refused, const std::string& id) {
  if (!absl::IsResourceExhausted(refused) && !absl::IsUnavailable(refused)) return refused;
  return Reworded(refused, absl::StrCat(std::string(refused.message()), "; send it again with id ", id, "; what was started stays"));
}

// When it came, as a name for its runs: milliseconds, and never a whole second (schedule_state.h).
absl::Time Received(absl::Time now) {
  const absl::Time floor = absl::UnixEpoch() + absl::Floor(now - absl::UnixEpoch(), absl::Milliseconds(1));
  return IsByHand(floor) ? floor : floor + absl::Milliseconds(1);
}

void SetId(bool is_workflow, TaskId id, v1::EventRun* run) {
  is_workflow ? run->set_workflow_id(IdToText(id.value())) : run->set_task_id(IdToText(id.value()));
}

void AddRun(const core::EventRunAnswer& from, v1::SendEventResponse* to) {
  v1::EventRun* const run = to->add_runs();
  run->set_schedule(from.schedule);
  run->set_reason(from.run.reason);
  if (from.run.task) SetId(from.is_workflow, from.run.task, run);
  if (from.repeated) {
    run->set_result(v1::EVENT_RUN_RESULT_REPEATED);
  } else if (from.run.result == RunResult::kSkipped) {
    run->set_result(v1::EVENT_RUN_RESULT_SKIPPED);
  } else if (from.run.result == RunResult::kRefused) {
    run->set_result(v1::EVENT_RUN_RESULT_REFUSED);
  } else {
    run->set_result(v1::EVENT_RUN_RESULT_STARTED);
  }
}

absl::StatusOr<v1::SendEventResponse> AnswerOf(v1::SendEventResponse response, const std::vector<absl::Status>& refused,
                                               const core::EventAnswer& answer) {
  for (const core::EventRunAnswer& run : answer.runs) {
    if (!run.status.ok()) return run.status;
    AddRun(run, &response);
  }
  const bool all_refuse = response.runs_size() > 0 &&
                          std::all_of(response.runs().begin(), response.runs().end(),
                                      [](const v1::EventRun& run) { return run.result() == v1::EVENT_RUN_RESULT_REFUSED; });
  if (all_refuse) {
    return refused.empty() ? Refuse(absl::StatusCode::kFailedPrecondition, "EVENT_REFUSED", response.runs(0).reason()) : refused.front();
  }
  std::sort(response.mutable_runs()->begin(), response.mutable_runs()->end(),
            [](const v1::EventRun& a, const v1::EventRun& b) { return a.schedule() < b.schedule(); });
  return response;
}

}  // namespace

struct EventCalls::Prepared {
  v1::SendEventResponse response;     // with what was started before
  core::FireEvent event;
  std::vector<absl::Status> refused;  // of those in `event` that nothing can be made for
};

void EventCalls::Send(v1::SendEventRequest event, Done done) {
  if (const absl::Status good = CheckEvent(event); !good.ok()) return done(good);
  if (event.id().empty()) {
    event.set_id(runtime::FreshId());
    done = [id = event.id(), done = std::move(done)](absl::StatusOr<v1::SendEventResponse> answer) {
      if (!answer.ok()) answer = WithDrawnId(answer.status(), id);
      done(std::move(answer));
    };
  }
  const absl::StatusOr<std::vector<EventTrigger>> triggers = TriggersOf(event.event());
  if (!triggers.ok()) return done(triggers.status());
  Prepared prepared;
  if (const absl::Status status = Prepare(event, *triggers, &prepared); !status.ok()) return done(status);
  if (prepared.event.runs.empty()) return done(AnswerOf(std::move(prepared.response), {}, {}));
  core::FireEvent fire = std::move(prepared.event);
  fire.call = deps_.calls->Expect<core::EventAnswer>(
      [response = std::move(prepared.response), refused = std::move(prepared.refused), done](const absl::StatusOr<core::EventAnswer>& answer) {
        done(answer.ok() ? AnswerOf(response, refused, *answer) : absl::StatusOr<v1::SendEventResponse>(answer.status()));
      });
  const CallId call = fire.call;
  if (!deps_.events->Post(std::move(fire)) && deps_.calls->Abandon(call)) done(deps_.events->Refusal());
}

absl::StatusOr<std::vector<EventTrigger>> EventCalls::TriggersOf(const std::string& event) const {
  auto triggers = AskLoop<std::vector<EventTrigger>>(deps_.inspector, deps_.limits.inspect_wait,
                                                     [event](const core::ClusterCore& core) { return core.TriggersOf(event); });
  if (!triggers.ok() || !triggers->empty()) return triggers;
  return Refuse(absl::StatusCode::kNotFound, "NO_SUCH_EVENT",
                absl::StrCat("no schedule waits for event ", event, "; muster schedule add NAME 'on ", event, "' -- ARGV... adds one"));
}

absl::Status EventCalls::Prepare(const v1::SendEventRequest& event, const std::vector<EventTrigger>& triggers, Prepared* prepared) const {
  prepared->response.set_id(event.id());
  prepared->event.event = event.event();
  prepared->event.id = event.id();
  prepared->event.received = Received(deps_.clock->Calendar());
  for (const EventTrigger& trigger : triggers) {
    core::RequestKey key = KeyOf(event, trigger);
    MUSTER_ASSIGN_OR_RETURN(const auto row, deps_.store->FindRequest(key.owner, key.id));
    if (row.has_value() && row->digest == key.digest && !row->tasks.empty()) {
      core::EventRunAnswer before{.schedule = trigger.schedule, .is_workflow = bool(row->batch), .repeated = true, .run = {}, .status = {}};
      before.run.task = row->batch ? row->batch : row->tasks.front().first;
      AddRun(before, &prepared->response);
      continue;
    }
    core::EventRun& run = prepared->event.runs.emplace_back();
    run.schedule = trigger.schedule;
    run.work = trigger.work;
    run.request = std::move(key);
    run.id_is_taken = row.has_value();
    absl::StatusOr<EventWork> work = MakeEventRun(deps_.queues, deps_.limits, *trigger.work, event,
                                                  {trigger.schedule, prepared->event.received, event.event(), event.id()});
    if (work.ok()) {
      run.what = *std::move(work);
    } else {
      run.status = work.status();
      prepared->refused.push_back(work.status());
    }
  }
  return absl::OkStatus();
}

}  // namespace muster::handler
