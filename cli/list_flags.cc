#include "cli/list_flags.h"

namespace muster::cli {

void OutputFlags::Declare(Flags& flags) {
  flags.Choice("-o,--output", &format, {"table", "wide", "json", "jsonl", "yaml", "name"}, "How to print it (default: table).");
  flags.Switch("-q,--quiet", &quiet, "Print ids alone.");
}

}  // namespace muster::cli
