// The run times of one kind of command, and where it ran, as the column `learned` of table run_time holds them.
//
// Thread rule: pure functions. Errors: UnpackRunTimes says false for what is none, also for more than could be written.
#pragma once

#include <string>
#include <string_view>

#include "common/domain/run_times.h"

namespace muster::store {

std::string FingerprintText(uint64_t fingerprint);  // 16 hexadecimal digits

// `newest` and `places`.
void PackRunTimes(const LearnedRunTimes& learned, std::string* out);
bool UnpackRunTimes(std::string_view bytes, LearnedRunTimes* learned);

}  // namespace muster::store
