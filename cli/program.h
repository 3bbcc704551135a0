// The client as a function: parse, do, say what went wrong, exit code.
#pragma once

namespace muster::cli {

int RunProgram(int argc, const char* const* argv);

}  // namespace muster::cli
