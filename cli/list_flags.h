// The flags of what prints: -o and -q.
// Thread rule: one thread.
#pragma once

#include <string>

#include "cli/flags.h"
#include "cli/output.h"

namespace muster::cli {

struct OutputFlags {
  std::string format;
  bool quiet = false;

  void Declare(Flags& flags);
  Format Get() const { return quiet ? Format::kName : *ParseFormat(format); }
};

}  // namespace muster::cli
