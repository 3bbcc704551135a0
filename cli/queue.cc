// muster queue get|set|pause|resume: one queue.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/queue_flags.h"
#include "cli/queue_table.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

// One line of what it is now, for who changed it.
std::string Summary(const v1::Queue& queue) {
  return absl::StrCat("queue ", queue.name(), " ", queue.held_because().empty() ? "is open" : queue.held_because(), " (",
                      SettingsText(queue.settings()), ")");
}

Action SetUpGetQueue(Flags& flags) {
  struct Values {
    std::string name;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("queue get [flags] NAME");
  flags.Positional("NAME", &values->name, "The queue.");
  values->output.Declare(flags);
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::GetQueueRequest request;
    request.set_name(values->name);
    MUSTER_ASSIGN_OR_RETURN(const v1::GetQueueResponse response, client->GetQueue(request));
    const Format format = values->output.Get();
    if (IsData(format)) {
      PrintMessage(format, response.queue());
    } else {
      Print(format == Format::kName ? absl::StrCat(response.queue().name(), "\n") : QueuePage(response.queue()));
    }
    return 0;
  };
}

Action SetUpSetQueue(Flags& flags) {
  struct Values {
    std::string name;
    QueueFlags settings;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("queue set [flags] NAME");
  flags.Positional("NAME", &values->name, "The queue.");
  values->settings.Declare(flags);
  flags.Examples("  muster queue set nightly --weight 3 --max-running 8\n  muster queue set mail --rate 2/s:10\n"
                 "  muster queue set nightly --reset");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(const v1::UpdateQueueRequest request, values->settings.Build(values->name));
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::UpdateQueueResponse response, client->UpdateQueue(request));
    session.terminal().Say(Summary(response.queue()));
    return 0;
  };
}

Action SetUpPauseQueue(Flags& flags) {
  struct Values {
    std::string name, until, reason;
    std::optional<absl::Duration> length;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("queue pause [flags] NAME");
  flags.Positional("NAME", &values->name, "The queue.");
  flags.Text("--until", &values->until, "TIME", "It goes on then (2026-01-31T14:30:00Z, 14:30).");
  flags.Time("--for", &values->length, "D", "It goes on after so much time.");
  flags.Text("--reason", &values->reason, "R", "Shown with the queue and its tasks.");
  flags.Examples("  muster queue pause nightly --for 2h --reason 'the disks are being changed'");
  return [values](Session& session) -> absl::StatusOr<int> {
    v1::PauseQueueRequest request;
    request.set_name(values->name);
    request.set_reason(values->reason);
    if (!values->until.empty() && values->length) return UsageError("--until and --for say the same thing; give one of them");
    if (!values->until.empty()) {
      const absl::StatusOr<absl::Time> until = ParseTime(values->until, absl::Now());
      if (!until.ok()) return UsageError(absl::StrCat("--until: ", until.status().message()));
      convert::ToProto(*until, request.mutable_end_time());
    }
    if (values->length) convert::ToProto(*values->length, request.mutable_duration());
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(const v1::PauseQueueResponse response, client->PauseQueue(request));
    session.terminal().Say(Summary(response.queue()));
    return 0;
  };
}

Action SetUpResumeQueue(Flags& flags) {
  auto name = std::make_shared<std::string>();
  flags.Usage("queue resume NAME");
  flags.Positional("NAME", name.get(), "The queue.");
  return [name](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::ResumeQueueRequest request;
    request.set_name(*name);
    MUSTER_ASSIGN_OR_RETURN(const v1::ResumeQueueResponse response, client->ResumeQueue(request));
    session.terminal().Say(Summary(response.queue()));
    return 0;
  };
}

}  // namespace

Action SetUpQueue(Flags& flags) {
  flags.Usage("queue get|set|pause|resume NAME");
  flags.Verb("get", "Show it whole.", SetUpGetQueue);
  flags.Verb("set", "Change its weight, its limits, or its tasks' defaults.", SetUpSetQueue);
  flags.Verb("pause", "Start nothing of it; what runs goes on.", SetUpPauseQueue);
  flags.Verb("resume", "Start its tasks again.", SetUpResumeQueue);
  return {};
}

}  // namespace muster::cli
