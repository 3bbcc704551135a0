// muster schedule add|ls|get|rm|pause|resume|run: commands and workflows that the clock starts.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/output.h"
#include "cli/schedule_flags.h"
#include "cli/schedule_table.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/refusal.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

Action SetUpAddSchedule(Flags& flags) {
  auto values = std::make_shared<ScheduleFlags>();
  values->Declare(flags);
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(const v1::AddScheduleRequest request, values->Build(absl::Now()));
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::AddScheduleResponse response, client->AddSchedule(request));
    session.terminal().Say(ScheduleSummary(response.schedule(), absl::Now()));
    return 0;
  };
}

// A page at a time, so that what is printed is never held whole but for a table's widths.
absl::StatusOr<int> ListSchedules(Session& session, const OutputFlags& flags) {
  const Format format = flags.Get();
  const absl::Time now = absl::Now();
  ListWriter list(format, "schedules");
  Table table(ScheduleHeader(format == Format::kWide));
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::ListSchedulesRequest request;
  bool any = false;
  do {
    MUSTER_ASSIGN_OR_RETURN(const v1::ListSchedulesResponse response, client->ListSchedules(request));
    for (const v1::Schedule& schedule : response.schedules()) {
      any = true;
      if (IsData(format)) {
        list.Add(schedule);
      } else if (format == Format::kName) {
        Print(absl::StrCat(schedule.name(), "\n"));
      } else {
        table.Add(ScheduleRow(schedule, now, format == Format::kWide), ScheduleColour(schedule), kScheduleLastColumn);
      }
    }
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (IsData(format)) {
    list.Finish();
  } else if (format != Format::kName) {
    table.Print(session.terminal());
  }
  if (!any && !IsData(format)) session.terminal().Say("no schedules; `muster schedule add NAME 'every 1h' -- ARGV...` adds one");
  return 0;
}

Action SetUpListSchedules(Flags& flags) {
  auto values = std::make_shared<OutputFlags>();
  flags.Usage("schedule ls [flags]");
  values->Declare(flags);
  flags.Examples("  muster schedule ls -o wide");
  return [values](Session& session) { return ListSchedules(session, *values); };
}

Action SetUpGetSchedule(Flags& flags) {
  struct Values {
    std::string name;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("schedule get [flags] NAME");
  flags.Positional("NAME", &values->name, "The schedule.");
  values->output.Declare(flags);
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::GetScheduleRequest request;
    request.set_name(values->name);
    MUSTER_ASSIGN_OR_RETURN(const v1::GetScheduleResponse response, client->GetSchedule(request));
    const Format format = values->output.Get();
    if (IsData(format)) {
      PrintMessage(format, response.schedule());
    } else {
      Print(format == Format::kName ? absl::StrCat(response.schedule().name(), "\n") : SchedulePage(response.schedule(), absl::Now()));
    }
    return 0;
  };
}

Action SetUpRemoveSchedule(Flags& flags) {
  auto names = std::make_shared<std::vector<std::string>>();
  flags.Usage("schedule rm NAME...");
  flags.Positionals("NAME", names.get(), "The schedules. What runs of them goes on.", 1);
  return [names](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    for (const std::string& name : *names) {
      v1::RemoveScheduleRequest request;
      request.set_name(name);
      MUSTER_ASSIGN_OR_RETURN(const v1::RemoveScheduleResponse response, client->RemoveSchedule(request));
      const int running = response.schedule().running_size();
      session.terminal().Say(absl::StrCat("schedule ", name, " is removed",
                                          running == 0 ? "" : absl::StrCat("; what runs of it goes on: ", RunId(response.schedule().running(0)),
                                                                           running == 1 ? "" : ", ...")));
    }
    return 0;
  };
}

Action SetUpPauseSchedule(Flags& flags) {
  struct Values {
    std::string name, reason;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("schedule pause [flags] NAME");
  flags.Positional("NAME", &values->name, "The schedule.");
  flags.Text("--reason", &values->reason, "R", "Shown with the schedule.");
  flags.Examples("  muster schedule pause backup --reason 'the disks are being changed'");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::PauseScheduleRequest request;
    request.set_name(values->name);
    request.set_reason(values->reason);
    MUSTER_ASSIGN_OR_RETURN(const v1::PauseScheduleResponse response, client->PauseSchedule(request));
    session.terminal().Say(ScheduleSummary(response.schedule(), absl::Now()));
    return 0;
  };
}

Action SetUpResumeSchedule(Flags& flags) {
  auto name = std::make_shared<std::string>();
  flags.Usage("schedule resume NAME");
  flags.Positional("NAME", name.get(), "The schedule.");
  return [name](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::ResumeScheduleRequest request;
    request.set_name(*name);
    MUSTER_ASSIGN_OR_RETURN(const v1::ResumeScheduleResponse response, client->ResumeSchedule(request));
    session.terminal().Say(ScheduleSummary(response.schedule(), absl::Now()));
    return 0;
  };
}

Action SetUpRunSchedule(Flags& flags) {
  auto name = std::make_shared<std::string>();
  flags.Usage("schedule run NAME");
  flags.Positional("NAME", name.get(), "The schedule. It need not be due, and may be paused.");
  flags.Examples("  muster logs -f $(muster schedule run backup)");
  return [name](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::RunScheduleRequest request;
    request.set_name(*name);
    request.set_request_id(MakeRequestId());
    MUSTER_ASSIGN_OR_RETURN(const v1::RunScheduleResponse response, client->RunSchedule(request));
    if (RunId(response.run()).empty()) {
      session.terminal().Say(absl::StrCat("it starts when the run before has ended; `muster schedule get ", *name, "` shows it"));
    } else {
      Print(absl::StrCat(RunId(response.run()), "\n"));
    }
    return 0;
  };
}

}  // namespace

Action SetUpSchedule(Flags& flags) {
  flags.Usage("schedule add|ls|get|rm|pause|resume|run ...");
  flags.Verb("add", "Add one: when, or on which event, and what to run.", SetUpAddSchedule);
  flags.Verb("ls", "List them, with their next and last runs.", SetUpListSchedules);
  flags.Verb("get", "Show one whole.", SetUpGetSchedule);
  flags.Verb("rm", "Remove some; what runs of them goes on.", SetUpRemoveSchedule);
  flags.Verb("pause", "Start nothing of it; what comes due is skipped.", SetUpPauseSchedule);
  flags.Verb("resume", "Start its runs again.", SetUpResumeSchedule);
  flags.Verb("run", "Start a run now, whatever the clock says, and print its id.", SetUpRunSchedule);
  return {};
}

}  // namespace muster::cli
