#include "cli/session.h"

#include <cstdlib>
#include <filesystem>

#include <yaml-cpp/yaml.h>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/flags.h"
#include "common/base/status_macros.h"
#include "common/config/read_file.h"

namespace muster::cli {
namespace {

constexpr char kDefaultMaster[] = "127.0.0.1:7070";

std::string FromEnvironment(const Environment& environment, const char* name) {
  const char* value = environment(name);
  return value == nullptr ? "" : value;
}

std::string DefaultConfigFile(const Environment& environment) {
  const std::string base = FromEnvironment(environment, "XDG_CONFIG_HOME");
  if (!base.empty()) return absl::StrCat(base, "/muster/config.yaml");
  const std::string home = FromEnvironment(environment, "HOME");
  return home.empty() ? "" : absl::StrCat(home, "/.config/muster/config.yaml");
}

std::string TextAt(const YAML::Node& node, const char* key) {
  return node[key].IsDefined() && node[key].IsScalar() ? node[key].Scalar() : "";
}

absl::StatusOr<Connection> ReadContext(const std::string& file, std::string name) {
  Connection found;
  const absl::StatusOr<std::string> content = config::ReadWholeFile(file);
  if (!content.ok()) return UsageError(absl::StrCat("the configuration file: ", content.status().message()));
  try {
    const YAML::Node root = YAML::Load(*content);
    if (name.empty()) name = TextAt(root, "current-context");
    if (name.empty()) name = TextAt(root, "current_context");
    if (name.empty()) return found;
    for (const YAML::Node& context : root["contexts"]) {
      if (!context.IsMap() || TextAt(context, "name") != name) continue;
      found.master = TextAt(context, "master");
      const YAML::Node tls = context["tls"];
      if (tls.IsDefined() && tls.IsMap()) {
        found.tls_ca = TextAt(tls, "ca");
        found.tls_certificate = TextAt(tls, "certificate");
        found.tls_key = TextAt(tls, "key");
      }
      return found;
    }
  } catch (const YAML::Exception& error) {
    return UsageError(absl::StrCat(file, ": line ", error.mark.line + 1, ": ", error.msg));
  }
  return UsageError(absl::StrCat("no context '", name, "' in ", file));
}

void TakeFirst(std::string* target, const std::string& fallback) {
  if (target->empty()) *target = fallback;
}

}  // namespace

void AddGlobalFlags(Flags& flags, GlobalFlags* target) {
  flags.Text("--master", &target->master, "HOST:PORT", "The cluster's master (MUSTER_MASTER; default 127.0.0.1:7070).");
  flags.Text("--context", &target->context, "NAME", "A context of the configuration file (MUSTER_CONTEXT).");
  flags.Text("--config", &target->config_file, "FILE", "Default: $XDG_CONFIG_HOME/muster/config.yaml (MUSTER_CONFIG).");
  flags.Text("--tls-ca", &target->tls_ca, "FILE", "Whom to believe (MUSTER_TLS_CA).");
  flags.Text("--tls-certificate", &target->tls_certificate, "FILE", "Who we are (MUSTER_TLS_CERTIFICATE).");
  flags.Text("--tls-key", &target->tls_key, "FILE", "Its key (MUSTER_TLS_KEY).");
  flags.Choice("--color", &target->color, {"auto", "always", "never"}, "Colours (auto: on a terminal, without NO_COLOR).");
  flags.Time("--retry-for", &target->retry_for, "D", "How long to go on while the master is away or refuses for now.");
}

absl::StatusOr<Connection> ResolveConnection(const GlobalFlags& flags, const Environment& environment) {
  Connection connection = {flags.master, flags.tls_ca, flags.tls_certificate, flags.tls_key};
  TakeFirst(&connection.master, FromEnvironment(environment, "MUSTER_MASTER"));
  TakeFirst(&connection.tls_ca, FromEnvironment(environment, "MUSTER_TLS_CA"));
  TakeFirst(&connection.tls_certificate, FromEnvironment(environment, "MUSTER_TLS_CERTIFICATE"));
  TakeFirst(&connection.tls_key, FromEnvironment(environment, "MUSTER_TLS_KEY"));

  std::string context = flags.context;
  TakeFirst(&context, FromEnvironment(environment, "MUSTER_CONTEXT"));
  std::string file = flags.config_file;
  TakeFirst(&file, FromEnvironment(environment, "MUSTER_CONFIG"));
  const bool asked_for = !file.empty() || !context.empty();
  TakeFirst(&file, DefaultConfigFile(environment));
  std::error_code ignored;
  if (!file.empty() && std::filesystem::exists(file, ignored)) {
    MUSTER_ASSIGN_OR_RETURN(const Connection from_file, ReadContext(file, context));
    TakeFirst(&connection.master, from_file.master);
    TakeFirst(&connection.tls_ca, from_file.tls_ca);
    TakeFirst(&connection.tls_certificate, from_file.tls_certificate);
    TakeFirst(&connection.tls_key, from_file.tls_key);
  } else if (asked_for) {
    return UsageError(absl::StrCat("no configuration file ", file));
  }
  TakeFirst(&connection.master, kDefaultMaster);
  if (connection.master.find(':') == std::string::npos) connection.master += ":7070";
  return connection;
}

Interrupts& Session::HandleInterrupts() {
  if (interrupts_ == nullptr) interrupts_ = std::make_unique<Interrupts>();
  return *interrupts_;
}

absl::StatusOr<Connection> Session::connection() const {
  return ResolveConnection(flags_, [](const char* name) -> const char* { return std::getenv(name); });
}

absl::StatusOr<Client*> Session::client() {
  if (client_ == nullptr) {
    MUSTER_ASSIGN_OR_RETURN(connection_, connection());
    ClientOptions options;
    options.master = connection_.master;
    options.tls_ca = connection_.tls_ca;
    options.tls_certificate = connection_.tls_certificate;
    options.tls_key = connection_.tls_key;
    if (flags_.retry_for) options.first_patience = options.patience = *flags_.retry_for;
    options.narrate = [this](const std::string& why) { terminal_.Say(why); };
    MUSTER_ASSIGN_OR_RETURN(client_, Client::Make(options, interrupts_.get()));
  }
  return client_.get();
}

}  // namespace muster::cli
