// muster ps: tasks, page by page, or as they change.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/task_table.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

constexpr int kPageSize = 500;
// More than a person reads; programs get everything.
constexpr int64_t kTerminalLimit = 200;

struct PsFlags {
  OutputFlags output;
  std::vector<std::string> selectors, states, labels;
  std::string queue, owner;
  bool all = false, watch = false;
  std::optional<int64_t> limit;
};

class TaskPrinter {
 public:
  TaskPrinter(Format format, const Terminal& terminal)
      : format_(format), terminal_(terminal), table_(TaskHeader(format == Format::kWide)), list_(format, "tasks") {}

  void Add(const v1::Task& task) {
    if (format_ == Format::kName) {
      Print(absl::StrCat(task.id(), "\n"));
    } else if (IsData(format_)) {
      list_.Add(task);
    } else {
      table_.Add(TaskRow(task, format_ == Format::kWide, absl::Now()), StateColour(task.state()), kTaskStateColumn);
    }
  }
  void EndPage() {
    if (format_ == Format::kTable || format_ == Format::kWide) table_.Print(terminal_);
    std::fflush(stdout);
  }
  void Finish() {
    if (IsData(format_)) list_.Finish();
  }

 private:
  const Format format_;
  const Terminal& terminal_;
  Table table_;
  ListWriter list_;
};

// Tasks whose rows in the master's store are damaged: they are not in the list, and that is said.
class UnreadableTasks {
 public:
  void Add(const google::protobuf::RepeatedPtrField<std::string>& ids) {
    for (const std::string& id : ids) {
      if (count_++ < kMostNamed) named_.push_back(id);
    }
  }
  bool Any() const { return count_ > 0; }
  std::string Words() const {
    const size_t more = count_ - named_.size();
    return absl::StrCat(count_ == 1 ? "1 task is not shown, its row in the store is damaged: "
                                    : absl::StrCat(count_, " tasks are not shown, their rows in the store are damaged: "),
                        absl::StrJoin(named_, ", "), more > 0 ? absl::StrCat(" and ", more, " more") : "",
                        "; `muster get ", named_.front(), "` says which row");
  }

 private:
  static constexpr size_t kMostNamed = 8;
  std::vector<std::string> named_;
  size_t count_ = 0;
};

absl::StatusOr<v1::TaskFilter> MakeFilter(const PsFlags& flags, const RecentTasks& recent) {
  v1::TaskFilter filter;
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::string> selectors, recent.Resolve(flags.selectors));
  filter.mutable_selectors()->Assign(selectors.begin(), selectors.end());
  for (const std::string& text : flags.states) {
    const std::optional<v1::TaskState> state = ParseState(text);
    if (!state) return UsageError(absl::StrCat("--state: '", text, "' is no state; give queued, running, succeeded, failed and the like"));
    filter.add_states(*state);
  }
  filter.set_include_finished(flags.all);
  filter.set_queue(flags.queue);
  filter.set_owner(flags.owner);
  for (const std::string& text : flags.labels) {
    MUSTER_ASSIGN_OR_RETURN(*filter.add_labels(), ParseLabel(text));
  }
  return filter;
}

absl::StatusOr<int> List(Session& session, Client& client, const PsFlags& flags, const v1::TaskFilter& filter) {
  const Format format = flags.output.Get();
  const bool for_person = session.terminal().out_is_terminal() && (format == Format::kTable || format == Format::kWide);
  const int64_t limit = flags.limit.value_or(for_person ? kTerminalLimit : 0);
  TaskPrinter printer(format, session.terminal());
  v1::ListRequest request;
  *request.mutable_filter() = filter;
  UnreadableTasks unreadable;
  int64_t shown = 0;
  while (true) {
    request.set_page_size(limit > 0 ? static_cast<int32_t>(std::min<int64_t>(kPageSize, limit - shown)) : kPageSize);
    MUSTER_ASSIGN_OR_RETURN(const v1::ListResponse response, client.List(request));
    for (const v1::Task& task : response.tasks()) printer.Add(task);
    unreadable.Add(response.unreadable_task_ids());
    shown += response.tasks_size();
    printer.EndPage();
    const bool more = !response.next_page_token().empty();
    if (!more || (limit > 0 && shown >= limit)) {
      printer.Finish();
      if (more) session.terminal().Say(absl::StrCat("only the newest ", shown, " are shown; --limit 0 shows all"));
      if (!unreadable.Any()) return 0;
      session.terminal().Say(unreadable.Words());
      return kExitFailed;
    }
    request.set_page_token(response.next_page_token());
  }
}

absl::StatusOr<int> WatchTasks(Session& session, Client& client, const PsFlags& flags, const v1::TaskFilter& filter) {
  const Format format = flags.output.Get();
  // A list that never ends is lines.
  TaskPrinter printer(format == Format::kJson ? Format::kJsonl : format, session.terminal());
  v1::WatchRequest request;
  *request.mutable_filter() = filter;
  const absl::Time give_up = absl::InfiniteFuture();
  while (true) {
    auto stream = client.Watch(request);
    v1::WatchResponse response;
    StreamNews news;
    while ((news = stream->Next(&response, give_up)) == StreamNews::kMessage || news == StreamNews::kNothing) {
      if (news == StreamNews::kNothing) continue;
      if (response.unreadable_task_ids_size() > 0) {
        UnreadableTasks unreadable;
        unreadable.Add(response.unreadable_task_ids());
        session.terminal().Say(unreadable.Words());
      }
      for (const v1::Task& task : response.tasks()) printer.Add(task);
      printer.EndPage();
      if (response.commit() > 0) request.set_resume_commit(response.commit());
    }
    const absl::Status status = stream->status();
    if (!status.ok() && (!IsPassing(status) || request.resume_commit() == 0)) return status;
    MUSTER_RETURN_IF_ERROR(client.Pause(absl::Milliseconds(500)));
  }
}

}  // namespace

Action SetUpPs(Flags& flags) {
  auto values = std::make_shared<PsFlags>();
  flags.Usage("ps [flags] [SELECTOR...]");
  flags.Positionals("SELECTOR", &values->selectors, "Only these: ids, batches, names, last, last-N.", 0);
  flags.Switch("-a,--all", &values->all, "Finished ones, too.");
  flags.Texts("--state", &values->states, "STATE", "Only in this state.");
  flags.Text("--queue", &values->queue, "NAME", "Only of this queue.");
  flags.Text("--owner", &values->owner, "USER@HOST", "Only of this owner.");
  flags.Texts("-l,--label", &values->labels, "K=V", "Only with this label.");
  flags.Number("--limit", &values->limit, "N", "At most so many, newest first (0: all).");
  flags.Switch("-w,--watch", &values->watch, "Go on with every change, until Ctrl-C.");
  values->output.Declare(flags);
  flags.Examples(
      "  muster ps                      open tasks\n"
      "  muster ps -a --state failed    what went wrong\n"
      "  muster ps last -w              the newest one, as it changes");
  return [values](Session& session) -> absl::StatusOr<int> {
    if (values->limit && *values->limit < 0) return UsageError("--limit is negative");
    MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
    MUSTER_ASSIGN_OR_RETURN(v1::TaskFilter filter, MakeFilter(*values, RecentTasks::Of(session.master())));
    // Who names tasks, or finished states, wants to see them.
    if (!values->selectors.empty()) filter.set_include_finished(true);
    return values->watch ? WatchTasks(session, *client, *values, filter) : List(session, *client, *values, filter);
  };
}

}  // namespace muster::cli
