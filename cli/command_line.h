// The command line as a whole: the tree of verbs, the flags that every verb has, help, and what was chosen.
//
// Thread rule: one thread. Errors: errors.h's UsageError, one line.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/flags.h"
#include "cli/session.h"

namespace muster::cli {

// For completion: a verb, its flags (long names, with a '=' at the end when they take a value), its own verbs.
struct VerbOutline {
  std::string name;
  std::string summary;
  std::vector<std::string> flags;
  std::vector<VerbOutline> verbs;
};

class CommandLine {
 public:
  CommandLine();
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  struct Chosen {
    Action action;                    // empty: help or version was printed, exit with `exit_code`
    int exit_code = 0;
  };
  // `words` without the program's name.
  absl::StatusOr<Chosen> Parse(std::vector<std::string> words);

  const GlobalFlags& global() const;
  VerbOutline Outline() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace muster::cli
