// One verb in CLI11's tree with what CLI11 does not hold. Only flags.cc and command_line.cc include this.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/flags.h"

namespace muster::cli {

struct VerbNode {
  CLI::App* app = nullptr;
  VerbNode* root = nullptr;
  std::string usage;
  std::vector<std::string>* command = nullptr;  // where the words after "--" go
  bool bare_command = false;                    // the first word that is no flag begins them, too
  Action action;
  std::vector<std::unique_ptr<VerbNode>> verbs;
  std::function<void(Flags&)> add_global_flags;  // the root's
};

}  // namespace muster::cli
