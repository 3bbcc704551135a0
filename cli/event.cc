// muster event send: events, which start the schedules that wait for them.
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/verbs.h"
#include "cli/workflow_input.h"
#include "common/base/refusal.h"
#include "common/base/reworded.h"
#include "common/base/status_macros.h"
#include "common/convert/event_json.h"

namespace muster::cli {
namespace {

struct EventFlags {
  std::string name, id, file;
  std::vector<std::string> sets;
  OutputFlags output;

  // What the flags say goes before what the file says.
  absl::StatusOr<v1::SendEventRequest> Build() const {
    v1::SendEventRequest event;
    if (!file.empty()) {
      MUSTER_ASSIGN_OR_RETURN(const std::string text, ReadInput(file, convert::kMostEventBytes, "--data"));
      const absl::Status read = convert::ReadEventJson(file == "-" ? "stdin" : file, text, &event);
      if (!read.ok()) return UsageError(absl::StrCat("--data: ", std::string(read.message())));
    }
    google::protobuf::RepeatedPtrField<v1::ParameterValue> values;
    MUSTER_RETURN_IF_ERROR(ReadParameters(sets, &values));
    for (const v1::ParameterValue& value : values) (*event.mutable_parameters())[value.name()] = value.value();
    event.set_event(name);
    if (!id.empty()) event.set_id(id);
    return event;
  }
};

std::string ResultWord(const v1::EventRun& run) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::EventRunResult_Name(run.result()), "EVENT_RUN_RESULT_"));
}

// Who gave no id can send it again only by the one that was drawn. Whether the master heard it is not always known.
absl::Status WithDrawnId(const absl::Status& refused, const std::string& id) {
  const bool again = absl::IsResourceExhausted(refused) || absl::IsUnavailable(refused) || absl::IsDeadlineExceeded(refused);
  if (!again) return refused;
  return Reworded(refused, absl::StrCat(std::string(refused.message()), "; send it again with --id ", id, "; what was started stays"));
}

// Ids go to stdout; what became of each to a person.
void PrintEvent(Session& session, const v1::SendEventResponse& response) {
  for (const v1::EventRun& run : response.runs()) {
    const std::string& started = run.workflow_id().empty() ? run.task_id() : run.workflow_id();
    if (!started.empty()) Print(absl::StrCat(started, "\n"));
    if (run.result() == v1::EVENT_RUN_RESULT_STARTED) continue;
    session.terminal().Say(absl::StrCat("schedule ", run.schedule(), ": ", ResultWord(run), run.reason().empty() ? "" : ": ", run.reason()));
  }
}

Action SetUpSendEvent(Flags& flags) {
  auto values = std::make_shared<EventFlags>();
  flags.Usage("event send [flags] NAME");
  flags.Positional("NAME", &values->name, "The event. Schedules whose TIMES are 'on NAME' wait for it.");
  flags.Word("--id", &values->id, "ID", "Its own: sent again, it starts nothing more. Default: a new one.");
  flags.Texts("--set", &values->sets, "NAME=VALUE", "What {{ NAME }} stands for in what it starts.");
  flags.Word("--data", &values->file, "FILE", "The event in JSON, {\"id\": ..., \"parameters\": {...}}; - for stdin.");
  values->output.Declare(flags);
  flags.Examples("  muster event send push --id 4711 --set branch=main\n  muster event send push --data push.json\n"
                 "  curl --json '{\"id\": \"4711\", \"parameters\": {\"branch\": \"main\"}}' localhost:7080/v1/events/push");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(v1::SendEventRequest event, values->Build());
    const bool is_drawn = event.id().empty();
    if (is_drawn) event.set_id(MakeRequestId());  // one for all tries of this call
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    const absl::StatusOr<v1::SendEventResponse> sent = client->SendEvent(event);
    if (!sent.ok()) return is_drawn ? WithDrawnId(sent.status(), event.id()) : sent.status();
    const v1::SendEventResponse& response = *sent;
    if (const Format format = values->output.Get(); IsData(format)) {
      PrintMessage(format, response);
    } else {
      PrintEvent(session, response);
    }
    return 0;
  };
}

}  // namespace

Action SetUpEvent(Flags& flags) {
  flags.Usage("event send ...");
  flags.Verb("send", "Send one, and print the ids of what it has started.", SetUpSendEvent);
  return {};
}

}  // namespace muster::cli
