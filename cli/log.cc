// muster log: the activity log, oldest first.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/activity_text.h"
#include "cli/backoff.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

struct LogFlags {
  OutputFlags output;
  std::string since, task, worker;
  bool follow = false;
};

absl::StatusOr<int> Log(Session& session, const LogFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::ReadActivityRequest request;
  request.set_follow(flags.follow);
  request.set_worker(flags.worker);
  if (!flags.task.empty()) {
    MUSTER_ASSIGN_OR_RETURN(*request.mutable_task(), RecentTasks::Of(session.master()).ResolveOne(flags.task));
  }
  if (!flags.since.empty()) {
    const absl::StatusOr<absl::Time> since = ParseSince(flags.since, absl::Now());
    if (!since.ok()) return UsageError(absl::StrCat("--since: ", since.status().message()));
    convert::ToProto(*since, request.mutable_since());
  }
  Format format = flags.output.Get();
  if (flags.follow && format == Format::kJson) format = Format::kJsonl;  // a list that never ends is lines
  ListWriter list(format, "records");
  Backoff backoff(absl::Milliseconds(100), absl::Seconds(1));
  bool ever_heard = false;
  while (true) {
    auto stream = client->ReadActivity(request);
    v1::ReadActivityResponse response;
    StreamNews news;
    while ((news = stream->Next(&response, absl::InfiniteFuture())) != StreamNews::kEnd) {
      if (news != StreamNews::kMessage) continue;
      ever_heard = true;
      for (const v1::ActivityRecord& record : response.records()) {
        if (IsData(format)) {
          list.Add(record);
        } else {
          Print(absl::StrCat(TimeText(convert::FromProto(record.time())), " ", OneLine(ActivityText(record), 2000), "\n"));
        }
        request.set_after_commit(std::max(request.after_commit(), record.commit()));
      }
      std::fflush(stdout);
    }
    const absl::Status status = stream->status();
    if (status.ok() && !flags.follow) break;
    if (!status.ok() && (!flags.follow || !IsPassing(status) || !ever_heard)) return status;
    MUSTER_RETURN_IF_ERROR(client->Pause(backoff.Next(status)));
  }
  if (IsData(format)) list.Finish();
  return 0;
}

}  // namespace

Action SetUpLog(Flags& flags) {
  auto values = std::make_shared<LogFlags>();
  flags.Usage("log [flags]");
  flags.Switch("-f,--follow", &values->follow, "Go on as things happen, until Ctrl-C.");
  flags.Text("--since", &values->since, "T", "From 10m ago, or a time.");
  flags.Text("--task", &values->task, "SELECTOR", "Only of this task.");
  flags.Text("--worker", &values->worker, "NAME", "Only of this worker.");
  values->output.Declare(flags);
  flags.Examples("  muster log --task last\n  muster log -f --since 5m");
  return [values](Session& session) { return Log(session, *values); };
}

}  // namespace muster::cli
