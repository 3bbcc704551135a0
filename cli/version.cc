// muster version: ours, and the master's when it answers.
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"

namespace muster::cli {

std::string VersionText() { return absl::StrCat("muster ", MUSTER_VERSION); }

Action SetUpVersion(Flags& flags) {
  auto client_only = std::make_shared<bool>(false);
  flags.Usage("version [flags]");
  flags.Switch("--client", client_only.get(), "Do not ask the master.");
  return [client_only](Session& session) -> absl::StatusOr<int> {
    Print(absl::StrCat(VersionText(), "\n"));
    if (*client_only) return 0;
    MUSTER_ASSIGN_OR_RETURN(const Connection connection, session.connection());
    ClientOptions options{.master = connection.master, .tls_certificate = connection.tls_certificate, .tls_key = connection.tls_key,
                          .tls_ca = connection.tls_ca, .first_patience = absl::ZeroDuration(), .call_timeout = absl::Seconds(2)};
    MUSTER_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Make(options, nullptr));
    const absl::StatusOr<v1::GetSummaryResponse> response = client->GetSummary({});
    if (response.ok()) {
      const v1::ClusterSummary& summary = response->summary();
      Print(absl::StrCat("master ", summary.version(), " at ", connection.master, ", cluster ", summary.cluster_id(), ", epoch ",
                         summary.epoch(), ", ", summary.active_worker_count(), " of ", summary.worker_count(), " workers active\n"));
    } else {
      session.terminal().Say(ErrorLine(response.status(), connection.master));
    }
    return 0;
  };
}

}  // namespace muster::cli
