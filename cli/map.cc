// muster map: one task for each row of arguments.
#include <unistd.h>

#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/argument_rows.h"
#include "cli/dependency_flag.h"
#include "cli/dry_run.h"
#include "cli/errors.h"
#include "cli/map_run.h"
#include "cli/output.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/task_flags.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/domain/batch_arguments.h"

namespace muster::cli {
namespace {

struct MapFlags {
  TaskFlags task;
  std::vector<std::string> words, files;
  std::string job_log, halt;
  bool keep_order = false, tag = false, ungroup = false, dry_run = false, null_delimited = false, detach = false;
  std::optional<int64_t> jobs;
};

// A place that no source fills would be emptied without a word.
absl::Status CheckPlaces(const v1::TaskSpec& spec, size_t sources) {
  std::vector<std::string> words(spec.command().argv().begin(), spec.command().argv().end());
  words.insert(words.end(), spec.arguments().begin(), spec.arguments().end());
  for (const v1::EnvironmentVariable& variable : spec.command().environment()) words.push_back(variable.value());
  words.push_back(spec.command().working_directory());
  words.push_back(spec.validation().command());
  const size_t highest = HighestPlace(words);
  if (highest <= sources) return absl::OkStatus();
  return UsageError(absl::StrCat("{", highest, "} has nothing to put there: ", sources == 1 ? "there is one source" : absl::StrCat("there are ", sources, " sources"),
                                 " of arguments; `:::` again gives one more"));
}

absl::StatusOr<int> DryRun(const v1::TaskSpec& task_template, ArgumentRows& rows) {
  std::vector<std::string> row;
  for (int64_t index = 1;; ++index) {
    MUSTER_ASSIGN_OR_RETURN(const bool found, rows.Next(&row));
    if (!found) return 0;
    Print(absl::StrCat(RowCommandText(task_template, row, index), "\n"));
  }
}

absl::StatusOr<int> SubmitOnly(Session& session, Client& client, const MapOptions& options, ArgumentRows& rows) {
  MapSubmitter submitter({.task_template = options.task_template,
                          .request_id = options.request_id,
                          .detached = true,
                          .waits_for_room = !session.is_patience_given()},
                         &rows, &client);
  while (!submitter.progress().finished) {
    if (client.wakeup().Wait(absl::InfiniteFuture(), client.interrupts()) == Wakeup::Cause::kInterrupt) {
      return Interrupted(client.interrupts()->Take());
    }
  }
  const MapSubmitter::Progress end = submitter.progress();
  if (!end.batch_id.empty()) {
    RecentTasks::Of(session.master()).Remember({end.batch_id});
    Print(absl::StrCat(end.batch_id, "\n"));
    WarnOfImpossible(session, end.batch_id, end.warnings);
  }
  MUSTER_RETURN_IF_ERROR(end.status);
  return 0;
}

absl::StatusOr<int> Map(Session& session, const MapFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(MapWords words, SplitMapWords(flags.words));
  for (const std::string& file : flags.files) words.sources.push_back({.file = file});
  MapOptions options;
  TaskFlags task_flags = flags.task;
  if (words.argv.empty() && task_flags.file.empty() && task_flags.script.empty()) {
    // As parallel does without a command: each argument is a line for the shell.
    words.argv = {"{}"};
    task_flags.shell = true;
  }
  MUSTER_ASSIGN_OR_RETURN(options.task_template, task_flags.BuildWhole(words.argv, absl::Now()));
  MUSTER_ASSIGN_OR_RETURN(options.halt, HaltPolicy::Parse(flags.halt));
  if (flags.jobs && *flags.jobs < 0) return UsageError("-j is negative");
  options.most_open = flags.jobs.value_or(0);
  options.keep_order = flags.keep_order;
  options.tag = flags.tag;
  options.ungroup = flags.ungroup;
  options.job_log_file = flags.job_log;
  options.request_id = task_flags.request_id;
  if (flags.ungroup && flags.keep_order) return UsageError("-k keeps output for its turn and -u does not; give one of them");
  if (words.sources.empty()) {
    if (session.terminal().in_is_terminal()) session.terminal().Say("reads arguments from the terminal; Ctrl-D ends them (`::: ARG...` gives them in place)");
    words.sources.push_back({.file = "-"});
  }
  MUSTER_RETURN_IF_ERROR(CheckPlaces(options.task_template, words.sources.size()));
  MUSTER_ASSIGN_OR_RETURN(std::unique_ptr<ArgumentRows> rows, ArgumentRows::Open(words.sources, flags.null_delimited ? '\0' : '\n'));
  if (flags.dry_run) return DryRun(options.task_template, *rows);
  session.HandleInterrupts();
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_RETURN_IF_ERROR(ResolveDependencies(RecentTasks::Of(session.master()), &options.task_template));
  if (flags.detach) return SubmitOnly(session, *client, options, *rows);
  options.task_template.set_lossless_output(true);
  // Never destroyed: its submitter may wait for input that does not come, and the process is about to end.
  return (new MapRun(session, *client, std::move(options), std::move(rows)))->Run();
}

}  // namespace

Action SetUpMap(Flags& flags) {
  auto values = std::make_shared<MapFlags>();
  flags.Usage("map [flags] -- ARGV... ::: ARG...");
  flags.TakesCommand(&values->words, /*bare=*/true);
  flags.Texts("-a,--arg-file", &values->files, "FILE", "Each line is an argument (default without :::: stdin).");
  flags.Switch("-0,--null", &values->null_delimited, "Lines of files and stdin end with NUL.");
  flags.Switch("-k,--keep-order", &values->keep_order, "Print in the order of the arguments.");
  flags.Switch("--tag", &values->tag, "Put the arguments and a tab before each line.");
  flags.Switch("-u,--ungroup", &values->ungroup, "Print as it comes, tasks mixed.");
  flags.Number("-j,--jobs", &values->jobs, "N", "At most N open tasks at a time (default: as many as the cluster takes).");
  flags.Text("--joblog", &values->job_log, "FILE", "A line per ended task; +FILE goes on with a file.");
  flags.Text("--halt", &values->halt, "WHEN,WHY=N", "now|soon,fail|success|done=N|N%: give up then (default: never).");
  flags.Switch("--dry-run", &values->dry_run, "Print the commands and do nothing.");
  flags.Switch("--detach", &values->detach, "Submit, print the batch's id, return.");
  values->task.Declare(flags);
  flags.Examples(
      "  muster map -- gzip -9 {} ::: *.log\n"
      "  muster map -k --tag -- ./score --seed {1} --model {2} ::: 1 2 3 ::: small large\n"
      "  find . -name '*.png' | muster map --halt soon,fail=10% -- convert {} {.}.jpg\n"
      "Replaced in the command: {} the argument, {.} without extension, {/} its basename, {//} its directory, {/.} the\n"
      "basename without extension, {#} its number, {1} {2.} of several sources; appended when there is none of them.\n"
      "::: again crosses, :::+ links, :::: FILE reads lines. Exits with the highest exit code.");
  return [values](Session& session) { return Map(session, *values); };
}

}  // namespace muster::cli
