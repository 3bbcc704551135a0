// muster shutdown: the cluster, in order.
#include <memory>

#include "cli/errors.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/convert/convert.h"

namespace muster::cli {
namespace {

struct ShutdownFlags {
  bool drain = false;
  std::optional<absl::Duration> deadline;
};

absl::StatusOr<int> ShutDown(Session& session, const ShutdownFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(Client* const client, session.client());
  v1::ShutdownRequest request;
  request.set_drain(flags.drain);
  if (flags.deadline) convert::ToProto(*flags.deadline, request.mutable_deadline());
  auto stream = client->Shutdown(request);
  v1::ShutdownResponse response;
  StreamNews news;
  bool ever_heard = false, done = false;
  while ((news = stream->Next(&response, absl::InfiniteFuture())) != StreamNews::kEnd) {
    if (news != StreamNews::kMessage) continue;
    ever_heard = true;
    done = done || response.done();
    if (!response.message().empty()) session.terminal().Say(OneLine(response.message(), 500));
  }
  // The master goes while it answers: a broken connection after its first words is the end that was asked for.
  if (done || (ever_heard && IsPassing(stream->status()))) return 0;
  if (!stream->status().ok()) return stream->status();
  return ever_heard ? absl::StatusOr<int>(0) : absl::InternalError("the master said nothing");
}

}  // namespace

Action SetUpShutdown(Flags& flags) {
  auto values = std::make_shared<ShutdownFlags>();
  flags.Usage("shutdown [flags]");
  flags.Switch("--drain", &values->drain, "Let workers finish what they run first.");
  flags.Time("--deadline", &values->deadline, "D", "How long the drain may take (default: the workers' own).");
  flags.Examples("  muster shutdown --drain");
  return [values](Session& session) { return ShutDown(session, *values); };
}

}  // namespace muster::cli
