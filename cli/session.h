// What every verb gets: the flags that all have, the terminal, and the connection, made when it is first asked for.
//
// Where the master is: --master, then MUSTER_MASTER, then the context (--context, MUSTER_CONTEXT, the file's
// current-context) in $XDG_CONFIG_HOME/muster/config.yaml, then 127.0.0.1:7070. TLS files go the same way.
// Thread rule: the main thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/interrupts.h"
#include "cli/terminal.h"

namespace muster::cli {

class Flags;

struct GlobalFlags {
  std::string master;
  std::string context;
  std::string config_file;
  std::string tls_ca, tls_certificate, tls_key;
  std::string color = "auto";
  std::optional<absl::Duration> retry_for;
};
void AddGlobalFlags(Flags& flags, GlobalFlags* target);

struct Connection {
  std::string master;
  std::string tls_ca, tls_certificate, tls_key;
};
// By the rule above. `environment` is std::getenv, or a test's.
using Environment = std::function<const char*(const char*)>;
absl::StatusOr<Connection> ResolveConnection(const GlobalFlags& flags, const Environment& environment);

class Session {
 public:
  explicit Session(const GlobalFlags& flags) : flags_(flags), terminal_(flags.color) {}

  Terminal& terminal() { return terminal_; }
  // From now on Ctrl-C is the verb's to handle. Call it before client().
  Interrupts& HandleInterrupts();
  absl::StatusOr<Client*> client();
  // As far as it is known; for messages.
  const std::string& master() const { return connection_.master; }
  absl::StatusOr<Connection> connection() const;
  // Whether --retry-for bounds how long a call is repeated.
  bool is_patience_given() const { return flags_.retry_for.has_value(); }

 private:
  const GlobalFlags flags_;
  Terminal terminal_;
  std::unique_ptr<Interrupts> interrupts_;
  Connection connection_;
  std::unique_ptr<Client> client_;
};

}  // namespace muster::cli
