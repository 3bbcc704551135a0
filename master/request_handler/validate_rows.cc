// A batch call's rows: their own bounds, and what they make of the template.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/domain/batch_arguments.h"
#include "master/request_handler/validate.h"

namespace muster::handler {
namespace {

constexpr int kMostColumns = 64;

struct Template {
  std::vector<std::string> argv;  // the command's, or another executor's arguments
  std::vector<v1::EnvironmentVariable> environment;
  FillFor target = FillFor::kExec;
  size_t bytes = 0;
  size_t placeholders = 0;        // at most so many times a row's values may come in

  explicit Template(const v1::TaskSpec& spec)
      : environment(spec.command().environment().begin(), spec.command().environment().end()),
        target(spec.command().shell() ? FillFor::kShell : FillFor::kExec) {
    const auto& from = spec.command().argv_size() > 0 ? spec.command().argv() : spec.arguments();
    argv.assign(from.begin(), from.end());
    for (const std::string& argument : argv) Count(argument);
    for (const v1::EnvironmentVariable& variable : environment) Count(variable.name() + "=" + variable.value());
    placeholders = std::max<size_t>(placeholders, 1);
  }

 private:
  void Count(const std::string& word) {
    bytes += word.size() + 1;
    placeholders += static_cast<size_t>(std::count(word.begin(), word.end(), '{'));
  }
};

// A cheap upper bound, which decides for nearly all rows.
bool MayBeTooLong(const Template& form, int columns, size_t row_bytes, const TaskLimits& limits) {
  constexpr size_t kIndexBytes = 20;
  constexpr size_t kQuoted = 4;  // a quote becomes '\''
  const size_t most = row_bytes + 3 * static_cast<size_t>(columns) + kIndexBytes;
  return form.bytes + form.placeholders * most * (form.target == FillFor::kShell ? kQuoted : 1) > limits.argument_bytes;
}

bool FilledTooLong(const Template& form, const std::vector<std::string>& row, uint64_t index, const TaskLimits& limits) {
  size_t words = 0;
  for (const std::string& argument : FillArguments(form.argv, row, index, form.target)) {
    if (argument.size() > limits.argument_bytes) return true;
    words += argument.size() + 1;
  }
  // A shell line is one argument.
  if (form.target == FillFor::kShell && words > limits.argument_bytes) return true;
  for (const v1::EnvironmentVariable& variable : form.environment) {
    const size_t size = variable.name().size() + 1 + FillText(variable.value(), row, index).size();
    if (size > limits.argument_bytes) return true;
    words += size + 1;
  }
  return words > limits.command_bytes;
}

}  // namespace

void CheckRows(const v1::SubmitBatchRequest& request, const TaskLimits& limits, Violations* violations) {
  if (request.rows_size() == 0) {
    violations->Add("BAD_ROWS", "rows", "is empty; a batch needs a row for each task");
    return;
  }
  if (static_cast<size_t>(request.rows_size()) > limits.rows) {
    violations->Add("BAD_ROWS", "rows", absl::StrCat("has ", request.rows_size(), " rows; at most ", limits.rows));
    return;
  }
  if (request.template_().outputs_size() > 0) {
    violations->Add("BAD_OUTPUTS", "template.outputs", "are of single tasks, not of a batch's; leave them out");
  }
  const Template form(request.template_());
  for (int i = 0; i < request.rows_size(); ++i) {
    const auto& values = request.rows(i).values();
    const std::string field = absl::StrCat("rows[", i, "]");
    if (values.size() > kMostColumns) {
      violations->Add("BAD_ROWS", field, absl::StrCat("has more than ", kMostColumns, " values"));
      continue;
    }
    size_t bytes = 0;
    bool sound = true;
    for (int j = 0; j < values.size(); ++j) {
      bytes += values[j].size();
      if (values[j].find('\0') == std::string::npos) continue;
      violations->Add("NUL_BYTE", absl::StrCat(field, ".values[", j, "]"), "has a NUL byte; arguments cannot carry one");
      sound = false;
    }
    if (sound && MayBeTooLong(form, values.size(), bytes, limits) &&
        FilledTooLong(form, {values.begin(), values.end()}, static_cast<uint64_t>(i) + 1, limits)) {
      violations->Add("ARGUMENT_TOO_LONG", field,
                      absl::StrCat("makes an argument of more than ", limits.argument_bytes, " bytes, or a command of more than ",
                                   limits.command_bytes));
    }
  }
}

ArgumentRowsPtr MakeRows(v1::SubmitBatchRequest* request) {
  auto rows = std::make_shared<ArgumentRows>();
  rows->reserve(static_cast<size_t>(request->rows_size()));
  for (v1::ArgumentRow& row : *request->mutable_rows()) {
    std::vector<std::string>& values = rows->emplace_back();
    values.reserve(static_cast<size_t>(row.values_size()));
    for (std::string& value : *row.mutable_values()) values.push_back(std::move(value));
  }
  return rows;
}

}  // namespace muster::handler
