// One field of a cron line, such as "*/15", "MON-FRI" or "1,15,20-25/2".
//
// Thread rule: pure. Errors: INVALID_ARGUMENT, one line with the part that is wrong, its column in the whole line,
// and what would be right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace muster::schedules {

// In the order of the line.
enum class CronField : uint8_t { kMinute, kHour, kDay, kMonth, kWeekday };
inline constexpr size_t kCronFields = 5;

struct CronValues {
  uint64_t bits = 0;       // bit n: the value n; of kWeekday Sunday is bit 0 alone
  bool from_star = false;  // it is written with "*" first, which says more than that every value fits

  bool Has(int value) const { return (bits >> value & 1) != 0; }
};

std::string NameOf(CronField field);  // "day of month"

// `column`: of its first character, from 1.
absl::StatusOr<CronValues> ReadCronField(CronField field, std::string_view text, size_t column);

}  // namespace muster::schedules
