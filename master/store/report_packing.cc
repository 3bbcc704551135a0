#include "master/store/report_packing.h"

#include <utility>

#include "master/store/packing.h"

namespace muster::store {
namespace {

// A list or string cannot have more members than bytes that are left, so sizes are checked before anything is made.
template <typename Archive, typename Output>
void OutputFields(Archive& archive, Output& output) {
  archive(output.total_bytes);
  archive(output.tail_offset);
  archive(output.sha256);
}

// Last, and nothing when there are none: most have none. What comes after it one day needs their number, 0 as well.
void Values(Packer& packer, const NamedValues& values) {
  if (values.empty()) return;
  packer.Unsigned(values.size());
  for (const NamedValue& one : values) {
    packer(one.name);
    packer(one.value);
  }
}

void Values(Unpacker& unpacker, NamedValues& values) {
  if (unpacker.done()) return;
  const uint64_t count = unpacker.Unsigned();
  for (uint64_t i = 0; i < count && unpacker.ok(); ++i) {
    const std::string_view name = unpacker.Bytes();
    const std::string_view value = unpacker.Bytes();
    if (unpacker.ok()) values.push_back({std::string(name), std::string(value)});
  }
}

template <typename Archive, typename Report>
void ReportFields(Archive& archive, Report& report) {
  auto& end = report.end;
  archive(end.reason);
  archive(end.exit_code);
  archive(end.signal);
  archive(end.start_errno);
  archive(end.message);
  archive(end.usage.wall_time);
  archive(end.usage.user_cpu_time);
  archive(end.usage.system_cpu_time);
  archive(end.usage.peak_memory_bytes);
  archive(end.usage.read_bytes);
  archive(end.usage.written_bytes);
  archive(report.start_time);
  archive(report.end_time);
  archive(report.started);
  archive(report.stopped);
  OutputFields(archive, report.stdout_output);
  OutputFields(archive, report.stderr_output);
  Values(archive, report.outputs);
}

}  // namespace

void PackReport(const AttemptReport& report, std::string* out) {
  Packer packer(out);
  ReportFields(packer, report);
}

std::shared_ptr<AttemptReport> UnpackReport(std::string_view bytes, AttemptKey key) {
  auto report = std::make_shared<AttemptReport>();
  Unpacker unpacker(bytes);
  ReportFields(unpacker, *report);
  report->key = key;
  return unpacker.ok() ? report : nullptr;
}

void PackArgumentRows(const ArgumentRows& rows, std::string* out) {
  Packer packer(out);
  for (const std::vector<std::string>& row : rows) {
    packer.Unsigned(row.size());
    for (const std::string& value : row) packer.Bytes(value);
  }
}

ArgumentRowsPtr UnpackArgumentRows(std::string_view bytes, size_t count) {
  if (count > bytes.size()) return nullptr;
  auto rows = std::make_shared<ArgumentRows>(count);
  Unpacker unpacker(bytes);
  for (std::vector<std::string>& row : *rows) {
    const uint64_t size = unpacker.Unsigned();
    for (uint64_t i = 0; i < size && unpacker.ok(); ++i) row.emplace_back(unpacker.Bytes());
  }
  return unpacker.ok() && unpacker.done() ? rows : nullptr;
}

void PackRanges(const std::vector<TaskRange>& ranges, std::string* out) {
  Packer packer(out);
  for (const TaskRange& range : ranges) packer(range);
}

std::optional<std::vector<TaskRange>> UnpackRanges(std::string_view bytes) {
  std::vector<TaskRange> ranges;
  Unpacker unpacker(bytes);
  while (!unpacker.done()) unpacker(ranges.emplace_back());
  if (!unpacker.ok()) return std::nullopt;
  return ranges;
}

}  // namespace muster::store
