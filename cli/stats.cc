// muster stats: what was learned of how long commands run.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/list_flags.h"
#include "cli/list_printer.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

constexpr int64_t kMostShown = 4096;
constexpr size_t kShortFingerprint = 8;
constexpr size_t kPlacesWidth = 40;
constexpr size_t kStatsCommandWidth = 80;

struct StatsFlags {
  std::optional<int64_t> limit;
  OutputFlags output;
};

std::string PlacesText(const v1::RunTimes& kind) {
  std::vector<std::string> parts;
  for (const v1::WorkerRuns& worker : kind.workers()) parts.push_back(absl::StrCat(worker.worker(), " ", worker.count()));
  return parts.empty() ? "-" : OneLine(absl::StrJoin(parts, ", "), kPlacesWidth);
}

std::vector<std::string> StatsRow(const v1::RunTimes& kind, bool wide, absl::Time now) {
  const auto time = [](const google::protobuf::Duration& duration) { return DurationText(convert::FromProto(duration)); };
  const absl::Duration ago = now - convert::FromProto(kind.last_time());
  return {wide ? kind.fingerprint() : kind.fingerprint().substr(0, kShortFingerprint),
          absl::StrCat(kind.run_count()),
          absl::StrCat(kind.failed_count()),
          time(kind.p50()),
          time(kind.p90()),
          time(kind.max()),
          kind.has_last_time() ? AgeText(std::max(ago, absl::ZeroDuration())) : "-",
          PlacesText(kind),
          OneLine(kind.command(), kStatsCommandWidth)};
}

absl::StatusOr<int> Stats(Session& session, const StatsFlags& flags) {
  if (flags.limit && (*flags.limit < 1 || *flags.limit > kMostShown)) {
    return UsageError(absl::StrCat("--limit is not in 1..", kMostShown));
  }
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::ListRunTimesRequest request;
  if (flags.limit) request.set_limit(static_cast<int32_t>(*flags.limit));
  MUSTER_ASSIGN_OR_RETURN(const v1::ListRunTimesResponse response, client->ListRunTimes(request));
  const Format format = flags.output.Get();
  PrintList(session.terminal(), format, "run_times", response.run_times(), [](const v1::RunTimes& kind) { return kind.fingerprint(); },
            Table({"KIND", "RUNS", "FAILED", "P50", "P90", "MAX", "LAST", "WORKERS", "COMMAND"}),
            [wide = format == Format::kWide](const v1::RunTimes& kind, Table* table) {
              table->Add(StatsRow(kind, wide, absl::Now()));
            });
  if (IsData(format)) return 0;
  if (response.run_times().empty()) session.terminal().Say("nothing has run three times yet");
  if (response.truncated()) session.terminal().Say("there are more, seen longer ago; --limit 4096 shows all");
  return 0;
}

}  // namespace

Action SetUpStats(Flags& flags) {
  auto values = std::make_shared<StatsFlags>();
  flags.Usage("stats [flags]");
  flags.Number("--limit", &values->limit, "N", "So many kinds of command, the most lately seen first (100).");
  values->output.Declare(flags);
  flags.Examples(
      "  muster stats                                        how long what runs here takes, and where it ran\n"
      "  muster stats -o json | jq '.run_times[] | select(.failed_count != \"0\")'");
  return [values](Session& session) { return Stats(session, *values); };
}

}  // namespace muster::cli
