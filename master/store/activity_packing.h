// The activity log of one commit as one blob: each record its length, its kind, its time and its fields. A kind that
// this version does not know is left out when it is read.
// Thread rule: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/activity.h"

namespace muster::store {

void PackActivity(const std::vector<activity::Record>& records, std::string* out);
// Empty for bytes that are no activity.
std::optional<std::vector<activity::Record>> UnpackActivity(std::string_view bytes);

}  // namespace muster::store
