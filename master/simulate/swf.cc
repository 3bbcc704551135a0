#include "master/simulate/swf.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace muster::simulate {
namespace {

// Columns, from 0; -1 in one means that it is not known.
enum Column { kSubmit = 1, kWait = 2, kRun = 3, kProcessors = 4, kRequestedProcessors = 7, kUser = 11, kQueue = 14, kColumns = 18 };
using Row = std::array<double, kColumns>;

// "; MaxProcs: 128"
std::optional<uint32_t> MaxProcessors(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line.substr(1), absl::MaxSplits(':', 1));
  uint32_t processors = 0;
  if (absl::StripAsciiWhitespace(parts.first) != "MaxProcs") return std::nullopt;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(parts.second), &processors) || processors == 0) return std::nullopt;
  return processors;
}

bool ReadRow(absl::string_view line, Row* row) {
  size_t column = 0;
  for (const absl::string_view word : absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty())) {
    if (column == kColumns || !absl::SimpleAtod(word, &(*row)[column]) || !((*row)[column] < 1e15)) return false;
    ++column;
  }
  return column == kColumns;
}

class Reader {
 public:
  absl::Status Take(absl::string_view line) {
    if (line[0] == ';') {
      if (const auto processors = MaxProcessors(line)) trace_.fleet = {*processors};
      return absl::OkStatus();
    }
    Row row;
    if (!ReadRow(line, &row)) return absl::InvalidArgumentError(absl::StrCat("not ", kColumns, " numbers"));
    const double processors = row[kProcessors] > 0 ? row[kProcessors] : row[kRequestedProcessors];
    if (row[kRun] < 0 || processors < 1 || processors > UINT32_MAX) {
      ++trace_.left_out;
      return absl::OkStatus();
    }
    const uint32_t slots = static_cast<uint32_t>(processors);
    widest_ = std::max(widest_, slots);
    if (row[kWait] >= 0) waited_ += row[kWait], ++waits_;
    trace_.jobs.push_back({absl::Seconds(row[kSubmit]), absl::Seconds(row[kRun]), slots, KindOf(row)});
    return absl::OkStatus();
  }

  Trace Finish() {
    if (trace_.fleet.empty() && widest_ > 0) trace_.fleet = {widest_};
    if (waits_ > 0 && waits_ == trace_.jobs.size()) trace_.mean_wait = absl::Seconds(waited_ / static_cast<double>(waits_));
    Order(&trace_);
    return std::move(trace_);
  }

 private:
  uint32_t KindOf(const Row& row) {
    const auto [place, is_new] = kinds_.try_emplace({row[kQueue], row[kUser]}, static_cast<uint32_t>(trace_.kinds.size()));
    if (is_new) {
      trace_.kinds.push_back({row[kQueue] < 0 ? "default" : absl::StrCat("queue", row[kQueue]),
                              row[kUser] < 0 ? "" : absl::StrCat("user", row[kUser])});
    }
    return place->second;
  }

  Trace trace_;
  std::map<std::pair<double, double>, uint32_t> kinds_;
  uint32_t widest_ = 0;
  double waited_ = 0;  // seconds
  uint64_t waits_ = 0;
};

}  // namespace

absl::StatusOr<Trace> ReadSwf(std::string_view text) {
  Reader reader;
  uint64_t number = 0;
  for (absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    const absl::Status taken = reader.Take(line);
    if (!taken.ok()) return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", taken.message()));
  }
  return reader.Finish();
}

}  // namespace muster::simulate
