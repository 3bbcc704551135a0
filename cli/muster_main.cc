// The client. Ends with _Exit: threads that wait for input or for the network need no farewell, and a command line
// should be gone when its work is done.
#include <cstdlib>

#include "cli/program.h"

int main(int argc, char** argv) {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // its own lines on stderr would hide ours; set it to DEBUG to see them
  std::_Exit(muster::cli::RunProgram(argc, argv));
}
