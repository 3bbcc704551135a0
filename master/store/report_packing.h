// The packed columns: an attempt's report (all but the retained bytes), a batch's argument rows, id ranges.
// docs/storage.md describes them. Thread rule: pure functions.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/domain/attempt.h"
#include "common/domain/ids.h"
#include "common/domain/task_spec.h"

namespace muster::store {

void PackReport(const AttemptReport& report, std::string* out);
// Without the retained bytes: heads and tails are empty. Null for bytes that are no report.
std::shared_ptr<AttemptReport> UnpackReport(std::string_view bytes, AttemptKey key);

void PackArgumentRows(const ArgumentRows& rows, std::string* out);
// Null for bytes that are not `count` rows.
ArgumentRowsPtr UnpackArgumentRows(std::string_view bytes, size_t count);

void PackRanges(const std::vector<TaskRange>& ranges, std::string* out);
std::optional<std::vector<TaskRange>> UnpackRanges(std::string_view bytes);

}  // namespace muster::store
