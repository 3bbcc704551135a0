// Faults that a test build can plant in a running daemon: one known bug, or a place to die at.
//
// They show that the tests would catch such a bug, and that nothing is lost whenever a process dies. Only a build with
// the preset `faults` (MUSTER_PLANTED_FAULTS) has them; in every other build both functions are empty and constant, and
// nothing of this is in the binary.
//   MUSTER_MUTANT=early_answer      in the environment at start: this bug, for the life of the process
//   MUSTER_DIE_AT=before_sync:17    kill -9 of itself at the 17th time that this place is passed
// Thread rule: any thread. What each mutant does is written where it is asked for; docs/reliability.md has the list.
#pragma once

#include <string_view>

namespace muster {

#ifdef MUSTER_PLANTED_FAULTS
bool Mutated(std::string_view name);
void MayDieAt(std::string_view place);
// For tests that hold both ends in one process: replaces what the environment said. Empty: none.
void PlantMutant(std::string_view name);
#else
constexpr bool Mutated(std::string_view) { return false; }
constexpr void MayDieAt(std::string_view) {}
#endif

}  // namespace muster
