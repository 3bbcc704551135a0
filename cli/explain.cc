// muster explain: why tasks are where they are, and what would change it.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/explanation_page.h"
#include "cli/list_flags.h"
#include "cli/selectors.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

struct ExplainFlags {
  std::vector<std::string> selectors;
  std::optional<int64_t> limit;
  OutputFlags output;
};

void PrintPages(Session& session, const v1::ExplainResponse& response) {
  bool first = true;
  for (const v1::Explanation& explanation : response.explanations()) {
    if (!first) Print("\n");
    first = false;
    Print(ExplanationPage(explanation, absl::Now()));
  }
  if (response.not_explained_count() == 0) return;
  session.terminal().Say(absl::StrCat(response.not_explained_count(), " more are not explained; --limit takes up to 100"));
}

absl::StatusOr<int> ExplainTasks(Session& session, const ExplainFlags& flags) {
  if (flags.limit && (*flags.limit < 1 || *flags.limit > 100)) return UsageError("--limit is not in 1..100");
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  MUSTER_ASSIGN_OR_RETURN(const std::vector<std::string> selectors, RecentTasks::Of(session.master()).Resolve(flags.selectors));
  v1::ExplainRequest request;
  request.mutable_selectors()->Assign(selectors.begin(), selectors.end());
  request.set_max_tasks(static_cast<int32_t>(flags.limit.value_or(0)));
  MUSTER_ASSIGN_OR_RETURN(const v1::ExplainResponse response, client->Explain(request));
  const Format format = flags.output.Get();
  if (IsData(format)) {
    ListWriter list(format, "explanations");
    for (const v1::Explanation& explanation : response.explanations()) list.Add(explanation);
    list.Finish();
  } else if (format == Format::kName) {
    for (const v1::Explanation& explanation : response.explanations()) Print(absl::StrCat(explanation.task_id(), "\n"));
  } else {
    PrintPages(session, response);
  }
  return 0;
}

}  // namespace

Action SetUpExplain(Flags& flags) {
  auto values = std::make_shared<ExplainFlags>();
  flags.Usage("explain [flags] SELECTOR...");
  flags.Positionals("SELECTOR", &values->selectors, "Ids, batches, BATCH/17, names, last, last-N.", 1);
  flags.Number("--limit", &values->limit, "N", "At most so many tasks, open ones first (10; at most 100).");
  values->output.Declare(flags);
  flags.Examples(
      "  muster explain last                                       which worker failed which requirement, and what would do\n"
      "  muster explain -o json 3F | jq -r .explanations[0].code   stable, for scripts: WAITS_FOR_SLOT, NO_WORKER_HAS_NEED...\n"
      "  muster submit --dry-run --memory 64G -- ./train           the same before submitting");
  return [values](Session& session) { return ExplainTasks(session, *values); };
}

}  // namespace muster::cli
