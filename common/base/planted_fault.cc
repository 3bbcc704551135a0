#include "common/base/planted_fault.h"

#ifdef MUSTER_PLANTED_FAULTS
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace muster {
namespace {

std::string FromEnvironment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return "";
  std::fprintf(stderr, "planted fault: %s=%s\n", name, value);
  return value;
}

std::string& TheMutant() {
  static std::string mutant = FromEnvironment("MUSTER_MUTANT");
  return mutant;
}

struct DeathPlan {
  std::string place;
  long passes = 1;
};

DeathPlan ReadDeathPlan() {
  DeathPlan plan;
  plan.place = FromEnvironment("MUSTER_DIE_AT");
  const size_t colon = plan.place.find(':');
  if (colon == std::string::npos) return plan;
  plan.passes = std::strtol(plan.place.c_str() + colon + 1, nullptr, 10);
  plan.place.resize(colon);
  return plan;
}

}  // namespace

bool Mutated(std::string_view name) { return TheMutant() == name; }
void PlantMutant(std::string_view name) { TheMutant() = name; }

void MayDieAt(std::string_view place) {
  static const DeathPlan plan = ReadDeathPlan();
  if (plan.place != place) return;
  static std::atomic<long> passed{0};
  if (passed.fetch_add(1) + 1 == plan.passes) kill(getpid(), SIGKILL);
}

}  // namespace muster
#endif
