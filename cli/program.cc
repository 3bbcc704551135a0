#include "cli/program.h"

#include <cstdio>
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "cli/errors.h"
#include "cli/session.h"

namespace muster::cli {

int RunProgram(int argc, const char* const* argv) {
  CommandLine line;
  const auto chosen = line.Parse(std::vector<std::string>(argv + 1, argv + argc));
  if (!chosen.ok()) {
    Terminal(line.global().color).Say(ErrorLine(chosen.status(), ""));
    return ExitCodeOf(chosen.status());
  }
  if (!chosen->action) {
    std::fflush(stdout);
    return chosen->exit_code;
  }
  Session session(line.global());
  const absl::StatusOr<int> result = chosen->action(session);
  if (std::fflush(stdout) != 0 && result.ok()) {
    session.terminal().Say("cannot write to stdout; is the disk full?");
    return kExitFailed;
  }
  if (result.ok()) return *result;
  const std::string text = ErrorLine(result.status(), session.master());
  if (!text.empty()) session.terminal().Say(text);
  return ExitCodeOf(result.status());
}

}  // namespace muster::cli
