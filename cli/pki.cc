// muster pki: a small certificate authority for a cluster that has none, and its certificates.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "cli/errors.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "common/base/status_macros.h"
#include "common/config/read_file.h"
#include "common/pki/authority.h"
#include "common/pki/certificate.h"
#include "common/pki/write_file.h"

namespace muster::cli {
namespace {

constexpr absl::Duration kAuthorityValidFor = absl::Hours(24 * 3650);
constexpr absl::Duration kDaemonValidFor = absl::Hours(24 * 365);
constexpr absl::Duration kPersonValidFor = absl::Hours(24 * 90);

std::string DefaultPkiDirectory() {
  const char* const base = std::getenv("XDG_CONFIG_HOME");
  if (base != nullptr && base[0] == '/') return absl::StrCat(base, "/muster/pki");
  const char* const home = std::getenv("HOME");
  return home == nullptr ? "" : absl::StrCat(home, "/.config/muster/pki");
}

absl::StatusOr<std::string> PkiDirectory(const std::string& given) {
  const std::string directory = given.empty() ? DefaultPkiDirectory() : given;
  if (directory.empty()) return UsageError("no home to keep the files in; say where with --dir DIR");
  std::error_code failed;
  const std::filesystem::path whole = std::filesystem::absolute(directory, failed);
  return failed ? UsageError(absl::StrCat(directory, ": ", failed.message())) : absl::StatusOr<std::string>(whole.string());
}

absl::Status MakePkiDirectory(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(directory).parent_path(), failed);
  if (mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("cannot make ", directory, ": ", std::strerror(errno)));
}



struct InitFlags {
  std::string directory, cluster;
  std::optional<absl::Duration> valid;
};

absl::StatusOr<int> Init(Session& session, const InitFlags& flags) {
  if (const absl::Status named = security::CheckClusterName(flags.cluster); !named.ok()) {
    return UsageError(absl::StrCat("--cluster: ", named.message()));
  }
  MUSTER_ASSIGN_OR_RETURN(const std::string directory, PkiDirectory(flags.directory));
  MUSTER_ASSIGN_OR_RETURN(const pki::KeyAndCertificate authority,
                          pki::MakeAuthority(flags.cluster, absl::Now(), flags.valid.value_or(kAuthorityValidFor)));
  MUSTER_RETURN_IF_ERROR(MakePkiDirectory(directory));
  const std::string certificate = absl::StrCat(directory, "/ca.pem"), key = absl::StrCat(directory, "/ca.key");
  absl::Status written = pki::WriteFile(key, authority.key, 0600, pki::IfThere::kRefuse);
  if (written.ok()) written = pki::WriteFile(certificate, authority.certificate, 0644, pki::IfThere::kRefuse);
  if (absl::IsAlreadyExists(written)) return UsageError(absl::StrCat(written.message(), ": an authority is made once; choose another --dir"));
  MUSTER_RETURN_IF_ERROR(written);
  Print(absl::StrCat(certificate, "\n"));
  session.terminal().Say(absl::StrCat("whoever has ", key, " can name anyone in this cluster; ca.pem goes to every machine, ca.key to none"));
  return 0;
}

struct IssueFlags {
  std::string directory, role, name;
  std::vector<std::string> hosts;
  std::optional<absl::Duration> valid;
  bool renew = false;
};

// The cluster is what the authority's own certificate says.
absl::StatusOr<std::string> ClusterOf(const pki::CertificateFacts& authority) {
  constexpr char kPrefix[] = "spiffe://";
  if (authority.is_authority && authority.uris.size() == 1 && absl::StartsWith(authority.uris.front(), kPrefix)) {
    return authority.uris.front().substr(sizeof(kPrefix) - 1);
  }
  return UsageError("ca.pem was not made by `muster pki init`; issue certificates with what made it");
}

absl::StatusOr<pki::KeyAndCertificate> ReadAuthority(const std::string& directory) {
  pki::KeyAndCertificate authority;
  const absl::StatusOr<std::string> certificate = config::ReadWholeFile(absl::StrCat(directory, "/ca.pem"));
  if (!certificate.ok()) {
    return UsageError(absl::StrCat(certificate.status().message(), "; `muster pki init --cluster NAME` makes an authority"));
  }
  MUSTER_ASSIGN_OR_RETURN(authority.key, config::ReadWholeFile(absl::StrCat(directory, "/ca.key")));
  authority.certificate = *certificate;
  return authority;
}

absl::StatusOr<pki::CertificateWish> ReadWish(const IssueFlags& flags, const pki::KeyAndCertificate& authority) {
  const std::optional<security::Role> role = security::RoleNamed(flags.role);
  if (!role.has_value()) {
    return UsageError(absl::StrCat("'", flags.role, "' is no role; choose master, worker, viewer, submitter, operator or admin"));
  }
  if (const absl::Status named = security::CheckIdentityName(flags.name); !named.ok()) {
    return UsageError(absl::StrCat("'", flags.name, "': ", named.message()));
  }
  MUSTER_ASSIGN_OR_RETURN(const pki::CertificateFacts facts, pki::ReadCertificate(authority.certificate));
  MUSTER_ASSIGN_OR_RETURN(std::string cluster, ClusterOf(facts));
  pki::CertificateWish wish{.id = {std::move(cluster), *role, flags.name}, .now = absl::Now()};
  wish.valid_for = flags.valid.value_or(security::IsDaemon(*role) ? kDaemonValidFor : kPersonValidFor);
  for (const std::string& host : flags.hosts) {
    const bool is_address = absl::StrContains(host, ':') || host.find_first_not_of("0123456789.") == std::string::npos;
    (is_address ? wish.ips : wish.dns).push_back(host);
  }
  return wish;
}

absl::StatusOr<int> IssueOne(Session& session, const IssueFlags& flags) {
  MUSTER_ASSIGN_OR_RETURN(const std::string directory, PkiDirectory(flags.directory));
  MUSTER_ASSIGN_OR_RETURN(const pki::KeyAndCertificate authority, ReadAuthority(directory));
  MUSTER_ASSIGN_OR_RETURN(const pki::CertificateWish wish, ReadWish(flags, authority));
  MUSTER_ASSIGN_OR_RETURN(const pki::KeyAndCertificate issued, pki::Issue(authority, wish));
  const std::string stem = absl::StrCat(directory, "/", flags.role, "-", flags.name);
  const std::string certificate = absl::StrCat(stem, ".pem"), key = absl::StrCat(stem, ".key"), ca = absl::StrCat(directory, "/ca.pem");
  const pki::IfThere if_there = flags.renew ? pki::IfThere::kReplace : pki::IfThere::kRefuse;
  absl::Status written = pki::WriteFile(key, issued.key, 0600, if_there);
  if (written.ok()) written = pki::WriteFile(certificate, issued.certificate, 0644, if_there);
  if (absl::IsAlreadyExists(written)) return UsageError(absl::StrCat(written.message(), "; --renew replaces it"));
  MUSTER_RETURN_IF_ERROR(written);
  MUSTER_ASSIGN_OR_RETURN(const pki::CertificateFacts facts, pki::ReadCertificate(issued.certificate));
  session.terminal().Say(absl::StrCat(security::ToText(wish.id), " until ", absl::FormatTime("%Y-%m-%d", facts.not_after, absl::UTCTimeZone()),
                                      ": ", certificate));
  Print(security::IsDaemon(wish.id.role)
            ? absl::StrCat("--grpc.tls.certificate=", certificate, "\n--grpc.tls.key=", key, "\n--grpc.tls.ca=", ca, "\n")
            : absl::StrCat("export MUSTER_TLS_CERTIFICATE=", ShellQuote(certificate), " MUSTER_TLS_KEY=", ShellQuote(key), " MUSTER_TLS_CA=",
                           ShellQuote(ca), "\n"));
  return 0;
}

std::string ValidText(const pki::CertificateFacts& facts, absl::Time now) {
  const std::string until = absl::FormatTime("%Y-%m-%d %H:%M UTC", facts.not_after, absl::UTCTimeZone());
  if (now >= facts.not_after) return absl::StrCat("EXPIRED ", until);
  if (now < facts.not_before) return absl::StrCat("not yet; until ", until);
  return absl::StrCat("until ", until);
}

absl::StatusOr<int> ShowCertificates(Session& session, const std::string& given, std::vector<std::string> files) {
  if (files.empty()) {
    MUSTER_ASSIGN_OR_RETURN(const std::string directory, PkiDirectory(given));
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
      if (entry.path().extension() == ".pem") files.push_back(entry.path().string());
    }
    if (files.empty()) return UsageError(absl::StrCat("no certificates in ", directory, "; `muster pki init` makes an authority there"));
    std::sort(files.begin(), files.end());
  }
  Table table({"CERTIFICATE", "IDENTITY", "VALID", "HOSTS", "SHA-256"});
  for (const std::string& file : files) {
    MUSTER_ASSIGN_OR_RETURN(const std::string content, config::ReadWholeFile(file));
    const absl::StatusOr<pki::CertificateFacts> facts = pki::ReadCertificate(content);
    if (!facts.ok()) return UsageError(absl::StrCat(file, ": ", facts.status().message()));
    std::vector<std::string> hosts = facts->dns;
    hosts.insert(hosts.end(), facts->ips.begin(), facts->ips.end());
    const std::string identity = absl::StrCat(facts->uris.empty() ? "none" : absl::StrJoin(facts->uris, " "), facts->is_authority ? " (authority)" : "");
    table.Add({file, identity, ValidText(*facts, absl::Now()), hosts.empty() ? "-" : absl::StrJoin(hosts, ","), facts->fingerprint.substr(0, 16)});
  }
  table.Print(session.terminal());
  return 0;
}

constexpr char kDirHelp[] = "Where the files are (default: $XDG_CONFIG_HOME/muster/pki, or ~/.config/muster/pki).";

Action SetUpInit(Flags& flags) {
  auto values = std::make_shared<InitFlags>();
  flags.Usage("pki init --cluster NAME [flags]");
  flags.Word("--cluster", &values->cluster, "NAME", "The cluster's name, which all of its certificates carry.");
  flags.Text("--dir", &values->directory, "DIR", kDirHelp);
  flags.Time("--valid", &values->valid, "D", "How long (default: ten years).");
  flags.Examples("  muster pki init --cluster lab");
  return [values](Session& session) { return Init(session, *values); };
}

Action SetUpIssue(Flags& flags) {
  auto values = std::make_shared<IssueFlags>();
  flags.Usage("pki issue ROLE NAME [flags]");
  flags.Positional("ROLE", &values->role, "master, worker, viewer, submitter, operator or admin.");
  flags.Positional("NAME", &values->name, "Who it is; a worker's name in the cluster.");
  flags.Texts("--host", &values->hosts, "HOST", "A DNS name or IP address, for tools that check those; muster's own go by ROLE and NAME.");
  flags.Text("--dir", &values->directory, "DIR", kDirHelp);
  flags.Time("--valid", &values->valid, "D", "How long (default: a year for daemons, 90 days for people).");
  flags.Switch("--renew", &values->renew, "Replace the one that is there; daemons take it up while they run.");
  flags.Examples(
      "  muster-master --grpc.listen=0.0.0.0:7070 $(muster pki issue master m1)\n"
      "  eval \"$(muster pki issue admin anna)\"");
  return [values](Session& session) { return IssueOne(session, *values); };
}

Action SetUpShow(Flags& flags) {
  auto directory = std::make_shared<std::string>();
  auto files = std::make_shared<std::vector<std::string>>();
  flags.Usage("pki show [FILE...] [flags]");
  flags.Positionals("FILE", files.get(), "Certificates (default: all in the directory).", 0);
  flags.Text("--dir", directory.get(), "DIR", kDirHelp);
  return [directory, files](Session& session) { return ShowCertificates(session, *directory, *files); };
}

}  // namespace

Action SetUpPki(Flags& flags) {
  flags.Usage("pki init|issue|show");
  flags.Verb("init", "Make the authority of a cluster.", SetUpInit);
  flags.Verb("issue", "Make a certificate for a daemon or a person, and print how to use it.", SetUpIssue);
  flags.Verb("show", "What certificates say, and until when.", SetUpShow);
  flags.Examples("  muster pki init --cluster lab\n  muster pki issue worker w1\n  muster pki show");
  return {};
}

}  // namespace muster::cli
