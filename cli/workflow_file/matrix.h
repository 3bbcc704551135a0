// `matrix:` of a task: a column for each of its names, a row for each combination.
//
//   matrix: {model: [a, b], seed: [1, 2], exclude: [{model: a, seed: 2}], include: [{model: c, seed: 9}]}
//
// The last name changes fastest. `exclude` leaves out the combinations that have all of its values; `include` adds rows, each
// with a value for every name.
// Thread rule: pure. Errors: INVALID_ARGUMENT with file, line and column; what would be too many is refused before it is made.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/workflow_file/document.h"

namespace muster::cli {

struct Matrix {
  struct Row {
    std::vector<Document::Node> values;  // in the order of the columns
  };
  std::vector<std::string> columns;
  std::vector<Row> rows;
};

absl::StatusOr<Matrix> ReadMatrix(const Document::Node& node, size_t most_rows);

}  // namespace muster::cli
