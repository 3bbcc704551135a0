// muster worker get|set|drain|quarantine|resume: one worker.
#include <algorithm>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/worker_table.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

void PrintWorker(const v1::Worker& worker, Format format) {
  if (IsData(format)) return PrintMessage(format, worker);
  Print(format == Format::kName ? absl::StrCat(worker.name(), "\n") : WorkerPage(worker, absl::Now()));
}

Action SetUpGetWorker(Flags& flags) {
  struct Values {
    std::string name;
    OutputFlags output;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("worker get [flags] NAME");
  flags.Positional("NAME", &values->name, "The worker.");
  values->output.Declare(flags);
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::GetWorkerRequest request;
    request.set_name(values->name);
    MUSTER_ASSIGN_OR_RETURN(const v1::GetWorkerResponse response, client->GetWorker(request));
    PrintWorker(response.worker(), values->output.Get());
    return 0;
  };
}

Action SetUpSetWorker(Flags& flags) {
  struct Values {
    std::string name;
    std::vector<std::string> settings;
    std::optional<int64_t> weight;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("worker set [flags] NAME [weight=N]");
  flags.Positional("NAME", &values->name, "The worker.");
  flags.Positionals("KEY=VALUE", &values->settings, "weight=N: its share under the balancer \"weighted\".", 0);
  flags.Number("--weight", &values->weight, "N", "1..1000; 0: back to its slots.");
  flags.Examples("  muster worker set w1 weight=3");
  return [values](Session& session) -> absl::StatusOr<int> {
    std::optional<int64_t> weight = values->weight;
    for (const std::string& setting : values->settings) {
      absl::string_view text = setting;
      int64_t number = 0;
      if (!absl::ConsumePrefix(&text, "weight=")) {
        return UsageError(absl::StrCat("'", setting, "' cannot be set; weight=N can"));
      }
      if (text != "default" && !absl::SimpleAtoi(text, &number)) return UsageError(absl::StrCat("weight: '", text, "' is no whole number"));
      weight = number;
    }
    if (!weight) return UsageError("nothing to set; give weight=N");
    if (*weight < 0 || *weight > 1000) return UsageError(absl::StrCat("weight: ", *weight, " is not within 0..1000"));
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::UpdateWorkerRequest request;
    request.set_name(values->name);
    request.set_weight(static_cast<uint32_t>(*weight));
    MUSTER_ASSIGN_OR_RETURN(const v1::UpdateWorkerResponse response, client->UpdateWorker(request));
    session.terminal().Say(absl::StrCat(response.worker().name(), " has weight ", response.worker().weight()));
    return 0;
  };
}

// "7, 9 and 4 more"
std::string Ids(const google::protobuf::RepeatedPtrField<std::string>& ids, int64_t count) {
  constexpr int kMostNamed = 8;
  std::string text = absl::StrJoin(ids.begin(), ids.begin() + std::min(ids.size(), kMostNamed), ", ");
  if (count > std::min(ids.size(), kMostNamed)) absl::StrAppend(&text, " and ", count - std::min(ids.size(), kMostNamed), " more");
  return text;
}

// What still runs, how much time it has, and what the drain has stopped.
void NarrateDrain(Terminal& terminal, const std::string& name, const v1::DrainWorkerResponse& news) {
  if (const int count = news.requeued_task_ids_size(); count > 0) {
    terminal.Say(absl::StrCat(name, ": ", Ids(news.requeued_task_ids(), count), count == 1 ? " is" : " are",
                              " stopped there and queued again"));
  }
  if (news.done()) return;
  const absl::Duration left = convert::FromProto(news.time_left());
  terminal.Say(absl::StrCat(
      name, " takes no new work; ", news.remaining(), news.remaining() == 1 ? " attempt is" : " attempts are",
      " still there: ", Ids(news.task_ids(), news.remaining()),
      !news.has_time_left()            ? ""
      : left <= absl::ZeroDuration()   ? "; their time is up"
                                       : absl::StrCat("; ", DurationText(absl::Ceil(left, absl::Seconds(1))), " left")));
}

std::string LostWords(const std::string& name, const v1::DrainWorkerResponse& news) {
  const uint32_t count = news.unaccounted();
  return absl::StrCat(name, " is lost and not drained; ",
                      count == 0   ? std::string("no attempt is known to be there")
                      : count == 1 ? absl::StrCat("1 attempt is unaccounted for and may run there still: ", Ids(news.task_ids(), count))
                                   : absl::StrCat(count, " attempts are unaccounted for and may run there still: ",
                                                  Ids(news.task_ids(), count)),
                      ". It drains on when it is heard again; to be sure, end it on its machine");
}

absl::StatusOr<int> Drain(Session& session, const v1::DrainWorkerRequest& request) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  Terminal& terminal = session.terminal();
  auto stream = client->DrainWorker(request);
  v1::DrainWorkerResponse response;
  StreamNews news;
  while ((news = stream->Next(&response, absl::InfiniteFuture())) != StreamNews::kEnd) {
    if (news != StreamNews::kMessage) continue;
    NarrateDrain(terminal, request.name(), response);
    if (!response.done()) continue;
    if (response.worker().state() == v1::WORKER_STATE_LOST) {
      terminal.Say(LostWords(request.name(), response));
      return kExitFailed;
    }
    terminal.Say(absl::StrCat(request.name(), " is drained; nothing runs there. `muster worker resume ", request.name(), "` takes it back"));
    return 0;
  }
  if (!stream->status().ok()) return stream->status();
  return absl::InternalError(absl::StrCat("the drain of ", request.name(), " broke off; `muster worker get ", request.name(), "` shows how far it is"));
}

Action SetUpDrainWorker(Flags& flags) {
  struct Values {
    std::string name, reason;
    std::optional<absl::Duration> deadline;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("worker drain [flags] NAME");
  flags.Positional("NAME", &values->name, "The worker.");
  flags.Time("--deadline", &values->deadline, "D", "What still runs then is stopped and queued again.");
  flags.Text("--reason", &values->reason, "R", "Shown with the worker.");
  flags.Examples("  muster worker drain w1 --deadline 5m");
  return [values](Session& session) -> absl::StatusOr<int> {
    v1::DrainWorkerRequest request;
    request.set_name(values->name);
    request.set_reason(values->reason);
    if (values->deadline) convert::ToProto(*values->deadline, request.mutable_deadline());
    return Drain(session, request);
  };
}

Action SetUpQuarantineWorker(Flags& flags) {
  struct Values {
    std::string name, reason;
  };
  auto values = std::make_shared<Values>();
  flags.Usage("worker quarantine [flags] NAME");
  flags.Positional("NAME", &values->name, "The worker.");
  flags.Text("--reason", &values->reason, "R", "Shown with the worker.");
  flags.Examples("  muster worker quarantine w1 --reason \"disk errors in its log\"");
  return [values](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::QuarantineWorkerRequest request;
    request.set_name(values->name);
    request.set_reason(values->reason);
    MUSTER_ASSIGN_OR_RETURN(const v1::QuarantineWorkerResponse response, client->QuarantineWorker(request));
    const v1::Worker& worker = response.worker();
    session.terminal().Say(absl::StrCat(
        worker.name(), " is ", StateName(worker.state()), " and takes nothing new; what it has goes on (",
        worker.used_slots(), worker.used_slots() == 1 ? " slot" : " slots", " in use). `muster worker resume ",
        worker.name(), "` takes it back"));
    return 0;
  };
}

Action SetUpResumeWorker(Flags& flags) {
  auto name = std::make_shared<std::string>();
  flags.Usage("worker resume NAME");
  flags.Positional("NAME", name.get(), "The worker.");
  return [name](Session& session) -> absl::StatusOr<int> {
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    v1::ResumeWorkerRequest request;
    request.set_name(*name);
    MUSTER_ASSIGN_OR_RETURN(const v1::ResumeWorkerResponse response, client->ResumeWorker(request));
    session.terminal().Say(absl::StrCat(response.worker().name(), " is ", StateName(response.worker().state())));
    return 0;
  };
}

}  // namespace

Action SetUpWorker(Flags& flags) {
  flags.Usage("worker get|set|drain|quarantine|resume NAME");
  flags.Verb("get", "Show it whole.", SetUpGetWorker);
  flags.Verb("set", "Change its weight.", SetUpSetWorker);
  flags.Verb("drain", "Let it finish what it has and give it nothing new.", SetUpDrainWorker);
  flags.Verb("quarantine", "Give it nothing new, and leave what it has alone.", SetUpQuarantineWorker);
  flags.Verb("resume", "Give it work again: ends a drain and a quarantine.", SetUpResumeWorker);
  return {};
}

}  // namespace muster::cli
