#include "cli/workflow_file/matrix.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/workflow_file/message.h"
#include "cli/workflow_file/words.h"
#include "common/base/status_macros.h"

namespace muster::cli {
namespace {

using Node = Document::Node;

constexpr size_t kMostColumns = 64;           // as the master's
constexpr size_t kMostComparisons = 20'000'000;

struct Dimension {
  std::string name;
  std::vector<Node> values;
};

absl::Status CheckValue(const Node& value) {
  if (value.is_null()) return value.Bad("an empty value; write '' for an empty text");
  return value.is_text() ? absl::OkStatus() : WrongType(value, "a value");
}

absl::Status CheckColumn(const Node& key) {
  if (IsIdentifier(key.text())) return absl::OkStatus();
  return key.Bad(absl::StrCat("'", ShownWord(key.text()), "' is no name in a matrix; give letters, digits and _, no digit first"));
}

absl::StatusOr<Dimension> ReadDimension(const Document::Entry& entry) {
  MUSTER_RETURN_IF_ERROR(CheckColumn(entry.key));
  if (!entry.value.is_list()) return WrongType(entry.value, "a list of values");
  Dimension dimension{entry.key.str(), entry.value.items()};
  if (dimension.values.empty()) return entry.value.Bad("an empty list, which leaves no combination; give it values");
  for (const Node& value : dimension.values) MUSTER_RETURN_IF_ERROR(CheckValue(value));
  return dimension;
}

// Its product, refused beyond the bound.
absl::StatusOr<size_t> Combinations(const Node& node, const std::vector<Dimension>& dimensions, size_t most) {
  size_t product = dimensions.empty() ? 0 : 1;
  std::string shown;
  bool too_many = false;
  for (const Dimension& dimension : dimensions) {
    absl::StrAppend(&shown, shown.empty() ? "" : " x ", dimension.values.size());
    product = too_many ? product : product * dimension.values.size();  // both below 2^24
    too_many = too_many || product > most;
  }
  if (!too_many) return product;
  return node.Bad(absl::StrCat("a matrix of ", shown, " combinations; a workflow has at most ", most, " tasks, so make several workflows of it"));
}

std::vector<Matrix::Row> Expand(const std::vector<Dimension>& dimensions, size_t count) {
  std::vector<Matrix::Row> rows(count);
  for (size_t i = 0; i < count; ++i) {
    rows[i].values.resize(dimensions.size());
    size_t rest = i;
    for (size_t k = dimensions.size(); k-- > 0;) {
      const std::vector<Node>& values = dimensions[k].values;
      rows[i].values[k] = values[rest % values.size()];
      rest /= values.size();
    }
  }
  return rows;
}

absl::StatusOr<size_t> ColumnOf(const Node& key, const std::vector<std::string>& columns) {
  const auto found = std::find(columns.begin(), columns.end(), key.text());
  if (found != columns.end()) return static_cast<size_t>(found - columns.begin());
  return key.Bad(absl::StrCat("the matrix has no '", ShownWord(key.text()), "'", NearestText(key.text(), {columns.begin(), columns.end()})));
}

// One map of `exclude` or `include`: a value or none for each column.
absl::StatusOr<Matrix::Row> ReadPartialRow(const Node& node, const std::vector<std::string>& columns) {
  if (!node.is_map()) return WrongType(node, "a map of names and values");
  Matrix::Row row;
  row.values.resize(columns.size());
  for (const Document::Entry& entry : node.entries()) {
    MUSTER_ASSIGN_OR_RETURN(const size_t column, ColumnOf(entry.key, columns));
    MUSTER_RETURN_IF_ERROR(CheckValue(entry.value));
    row.values[column] = entry.value;
  }
  return row;
}

bool Matches(const Matrix::Row& row, const Matrix::Row& pattern) {
  for (size_t k = 0; k < pattern.values.size(); ++k) {
    if (pattern.values[k] && pattern.values[k].text() != row.values[k].text()) return false;
  }
  return true;
}

absl::Status Exclude(const Node& list, Matrix* matrix) {
  if (!list.is_list()) return WrongType(list, "a list of maps");
  if (list.items().size() * matrix->rows.size() > kMostComparisons) return list.Bad("too much to leave out of so many combinations; list the rows under include");
  for (const Node& item : list.items()) {
    MUSTER_ASSIGN_OR_RETURN(const Matrix::Row pattern, ReadPartialRow(item, matrix->columns));
    if (item.entries().empty()) return item.Bad("an empty map would leave out everything; name what to leave out");
    const size_t before = matrix->rows.size();
    matrix->rows.erase(std::remove_if(matrix->rows.begin(), matrix->rows.end(), [&](const Matrix::Row& row) { return Matches(row, pattern); }),
                       matrix->rows.end());
    if (matrix->rows.size() == before) return item.Bad("no combination has these values; correct it or take it out");
  }
  return absl::OkStatus();
}

absl::Status Include(const Node& list, size_t most_rows, Matrix* matrix) {
  if (!list.is_list()) return WrongType(list, "a list of maps");
  for (const Node& item : list.items()) {
    if (matrix->columns.empty()) {
      for (const Document::Entry& entry : item.entries()) {
        MUSTER_RETURN_IF_ERROR(CheckColumn(entry.key));
        matrix->columns.push_back(entry.key.str());
      }
    }
    MUSTER_ASSIGN_OR_RETURN(Matrix::Row row, ReadPartialRow(item, matrix->columns));
    for (size_t k = 0; k < row.values.size(); ++k) {
      if (!row.values[k]) return item.Bad(absl::StrCat("a row without '", matrix->columns[k], "'; give it a value"));
    }
    matrix->rows.push_back(std::move(row));
    if (matrix->rows.size() > most_rows) return item.Bad(absl::StrCat("a row too many; a workflow has at most ", most_rows, " tasks, so make several workflows of it"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Matrix> ReadMatrix(const Node& node, size_t most_rows) {
  if (!node.is_map()) return WrongType(node, "a map of names and lists of values, as {seed: [1, 2, 3]}");
  std::vector<Dimension> dimensions;
  Node exclude, include;
  for (const Document::Entry& entry : node.entries()) {
    if (entry.key.text() == "exclude") {
      exclude = entry.value;
    } else if (entry.key.text() == "include") {
      include = entry.value;
    } else {
      MUSTER_ASSIGN_OR_RETURN(Dimension dimension, ReadDimension(entry));
      dimensions.push_back(std::move(dimension));
    }
  }
  if (dimensions.size() > kMostColumns) return node.Bad(absl::StrCat("a matrix of ", dimensions.size(), " names; at most ", kMostColumns));
  Matrix matrix;
  for (const Dimension& dimension : dimensions) matrix.columns.push_back(dimension.name);
  MUSTER_ASSIGN_OR_RETURN(const size_t count, Combinations(node, dimensions, most_rows));
  matrix.rows = Expand(dimensions, count);
  if (exclude) MUSTER_RETURN_IF_ERROR(Exclude(exclude, &matrix));
  if (include) MUSTER_RETURN_IF_ERROR(Include(include, most_rows, &matrix));
  if (matrix.rows.empty()) return node.Bad("a matrix with no combination left; give it values, or take it out");
  if (matrix.columns.empty() || matrix.columns.size() > kMostColumns) return node.Bad(absl::StrCat("a matrix of ", matrix.columns.size(), " names; give it 1 to ", kMostColumns));
  return matrix;
}

}  // namespace muster::cli
