// Arithmetic on ResourceAmounts: what fits into what. A resource that is not named counts as none of it.
//
// Thread rule: pure functions.
#pragma once

#include <string>

#include "common/domain/task_spec.h"

namespace muster {

// The amount of a named resource; 0 when there is none of that name.
int64_t AmountOf(const ResourceAmounts& amounts, const std::string& name);

// What of `capacity` is not `used`, never below zero in any resource.
ResourceAmounts Subtract(const ResourceAmounts& capacity, const ResourceAmounts& used);

// Whether `want` fits into `capacity` while `used` of it is taken, in every resource.
bool Fits(const ResourceAmounts& capacity, const ResourceAmounts& used, const ResourceAmounts& want);

// Of what is wanted, the largest share that is not free in some resource: 0 (it fits) to 1000, per mille.
uint32_t LackOf(const ResourceAmounts& capacity, const ResourceAmounts& used, const ResourceAmounts& want);

void AddTo(ResourceAmounts* amounts, const ResourceAmounts& more);

// Crashes when it would go below zero: what is returned had been taken.
void TakeFrom(ResourceAmounts* amounts, const ResourceAmounts& less);

}  // namespace muster
