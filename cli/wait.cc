// muster wait: until all are terminal; counts per state on stderr.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "cli/wait_for_end.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

struct WaitFlags {
  std::vector<std::string> selectors;
  std::optional<absl::Duration> timeout;
};

absl::StatusOr<int> Wait(Session& session, const WaitFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::string> selectors, RecentTasks::Of(session.master()).Resolve(flags.selectors));
  Terminal& terminal = session.terminal();
  WaitOptions options;
  if (flags.timeout) options.deadline = absl::Now() + *flags.timeout;
  options.progress = [&terminal](const EndOfTasks& now) { terminal.Progress(CountsText(now.counts)); };
  EndOfTasks so_far;
  const absl::StatusOr<EndOfTasks> end = WaitForEnd(*client, selectors, options, &so_far);
  if (!end.ok() && flags.timeout && end.status().code() == absl::StatusCode::kDeadlineExceeded) {
    terminal.Say(absl::StrCat("not all have ended after ", DurationText(*flags.timeout), ": ", CountsText(so_far.counts)));
    return kExitTimedOut;
  }
  if (!end.ok()) return end.status();
  terminal.Say(CountsText(end->counts));
  return end->exit_code;
}

}  // namespace

Action SetUpWait(Flags& flags) {
  auto values = std::make_shared<WaitFlags>();
  flags.Usage("wait [flags] SELECTOR...");
  flags.Positionals("SELECTOR", &values->selectors, "Ids, batches, names, last, last-N.", 1);
  flags.Time("--timeout", &values->timeout, "D", "Give up after so long, with exit code 124; the tasks go on.");
  flags.Examples("  muster wait last last-1     exits with the highest exit code");
  return [values](Session& session) { return Wait(session, *values); };
}

}  // namespace muster::cli
