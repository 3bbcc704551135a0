#include "master/store/row_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/convert/convert.h"
#include "master/store/packing.h"
#include "master/store/report_packing.h"
#include "master/store/run_time_packing.h"
#include "master/store/schema.h"
#include "master/store/transaction_writer.h"
#include "muster/v1/queue.pb.h"
#include "muster/v1/task.pb.h"

namespace muster::store {
namespace {

absl::Time TimeAt(const Query& row, int column) {
  return row.IsNull(column) ? absl::InfinitePast() : NumberToTime(row.Int(column));
}
std::string TextAt(const Query& row, int column) { return std::string(row.Bytes(column)); }
uint64_t NumberAt(const Query& row, int column) { return static_cast<uint64_t>(row.Int(column)); }

// From its length, beginning, middle and end: most specifications differ in one of them.
size_t PlaceOf(std::string_view payload) {
  uint64_t place = payload.size();
  for (const size_t at : {size_t{0}, payload.size() / 2, payload.size()}) {
    uint64_t word = 0;
    const size_t size = std::min(payload.size(), sizeof word);
    std::memcpy(&word, payload.data() + std::min(at, payload.size() - size), size);
    place = (place ^ word) * 0x9E3779B97F4A7C15u;
  }
  return static_cast<size_t>(place >> 32);
}

absl::StatusOr<AttemptReportPtr> ReportAt(const Query& row, int column, AttemptKey key) {
  if (row.IsNull(column)) return nullptr;
  AttemptReportPtr report = UnpackReport(row.Bytes(column), key);
  if (report == nullptr) return row.Damaged("its report cannot be read");
  return report;
}

}  // namespace

absl::StatusOr<core::SpecificationRow> SpecificationReader::Read(const Query& row) {
  core::SpecificationRow result;
  result.first = TaskId(NumberAt(row, 0));
  result.count = NumberAt(row, 1);
  result.batch = TaskId(NumberAt(row, 2));
  result.first_index = NumberAt(row, 3);
  result.created = TimeAt(row, 4);
  result.retry_of = TaskId(NumberAt(row, 5));
  MUSTER_ASSIGN_OR_RETURN(result.spec, ReadSpec(row));
  if (!row.IsNull(10)) {
    result.rows = UnpackArgumentRows(row.Bytes(10), result.count);
    if (result.rows == nullptr) return row.Damaged("its arguments cannot be read");
  }
  return result;
}

absl::StatusOr<TaskSpecPtr> SpecificationReader::ReadSpec(const Query& row) {
  const std::string_view payload = row.Bytes(9);
  TaskSpecPtr& known = known_[PlaceOf(payload) % kRemembered];
  if (known != nullptr && known->payload == payload) return known;
  static thread_local v1::TaskSpec message;  // its memory is used again for each of a million rows
  if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return row.Damaged("its specification cannot be read");
  }
  known = convert::MakeTaskSpec(message, std::string(payload));
  return known;
}

core::AttemptRow ReadAttempt(const Query& row) {
  return {UnpackKey(row.Int(0)), TextAt(row, 1), Incarnation(NumberAt(row, 2)), TimeAt(row, 3)};
}

absl::StatusOr<core::AttemptEndRow> ReadAttemptEnd(const Query& row) {
  core::AttemptEndRow result;
  result.key = UnpackKey(row.Int(0));
  result.reason = static_cast<EndReason>(row.Int(1));
  result.used_attempt = row.Int(2) != 0;
  result.used_worker_loss = row.Int(3) != 0;
  result.ended = TimeAt(row, 4);
  result.retry_at = TimeAt(row, 5);
  result.message = TextAt(row, 6);
  MUSTER_ASSIGN_OR_RETURN(result.report, ReportAt(row, 7, result.key));
  return result;
}

absl::StatusOr<core::OutcomeRow> ReadOutcome(const Query& row) {
  core::OutcomeRow result;
  result.task = TaskId(NumberAt(row, 0));
  result.state = static_cast<TaskState>(row.Int(1));
  result.attempt = AttemptNumber(static_cast<uint32_t>(row.Int(2)));
  result.reason = static_cast<EndReason>(row.Int(3));
  result.ended = TimeAt(row, 5);
  result.message = TextAt(row, 6);
  MUSTER_ASSIGN_OR_RETURN(result.report, ReportAt(row, 7, {result.task, result.attempt}));
  return result;
}

core::UnknownRow ReadUnknown(const Query& row) { return {UnpackKey(row.Int(0)), TimeAt(row, 1)}; }

absl::StatusOr<core::RequestRow> ReadRequest(const Query& row) {
  core::RequestRow result;
  result.owner = TextAt(row, 0);
  result.request_id = TextAt(row, 1);
  const std::string_view digest = row.Bytes(2);
  if (digest.size() != result.digest.size()) return row.Damaged("its digest has the wrong length");
  std::copy(digest.begin(), digest.end(), reinterpret_cast<char*>(result.digest.data()));
  std::optional<std::vector<TaskRange>> tasks = UnpackRanges(row.Bytes(3));
  if (!tasks.has_value()) return row.Damaged("its tasks cannot be read");
  result.tasks = *std::move(tasks);
  result.batch = TaskId(NumberAt(row, 4));
  result.time = TimeAt(row, 5);
  return result;
}

core::CancelRow ReadCancel(const Query& row) {
  return {{TaskId(NumberAt(row, 0)), NumberAt(row, 1)}, TextAt(row, 2), TextAt(row, 3), TimeAt(row, 4)};
}

core::WorkerSettingRow ReadWorkerSetting(const Query& row) {
  const int64_t told = row.Int(2);
  return {TextAt(row, 0), static_cast<uint32_t>(row.Int(1)), (told & kToldToDrain) != 0, TextAt(row, 3),
          (told & kToldQuarantine) != 0};
}

absl::StatusOr<core::QueueSettingRow> ReadQueueSetting(const Query& row) {
  core::QueueSettingRow result;
  result.name = TextAt(row, 0);
  if (row.Type(1) != SQLITE_NULL) {
    v1::QueueSettings settings;
    const std::string_view bytes = row.Bytes(1);
    if (!settings.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return row.Damaged("its settings cannot be read");
    }
    if (settings.max_running() < 0 || settings.max_queued() < 0) return row.Damaged("a limit in its settings is negative");
    result.by_hand = convert::FromProto(settings);
    if (!WhyNoQueueSettings(*result.by_hand).empty()) return row.Damaged("its settings are none that can be set");
  }
  result.pause = {TimeAt(row, 2), TextAt(row, 3)};
  return result;
}

core::ExecutorRow ReadExecutor(const Query& row) { return {TextAt(row, 0)}; }

absl::StatusOr<LearnedRunTimes> ReadRunTimes(const Query& row) {
  LearnedRunTimes learned;
  if (!absl::SimpleHexAtoi(TextAt(row, 0), &learned.fingerprint)) return row.Damaged("its fingerprint is none");
  learned.command = ToUtf8(TextAt(row, 1));
  learned.runs = NumberAt(row, 2);
  learned.failures = NumberAt(row, 3);
  learned.last = TimeAt(row, 4);
  if (!UnpackRunTimes(row.Bytes(5), &learned)) return row.Damaged("its run times cannot be read");
  for (LearnedRunTimes::Place& place : learned.places) place.worker = ToUtf8(std::move(place.worker));
  return learned;
}

core::NoteRow ReadNote(const Query& row) { return {UnpackKey(row.Int(0)), TextAt(row, 1), TimeAt(row, 2)}; }

CommitNumber CommitOf(const Query& row) { return CommitNumber(row.Int(row.ColumnCount() - 2)); }

absl::StatusOr<int64_t> LongestCancel(Database* database) {
  Query longest(database, "SELECT max(count) FROM cancel WHERE count > 1");
  const bool found = longest.Next();
  MUSTER_RETURN_IF_ERROR(longest.status());
  return found ? longest.Int(0) : 0;
}

absl::StatusOr<std::optional<core::CancelRow>> FindCancel(Database* database, TaskId task, CommitNumber latest,
                                                          CommitNumber* found_in) {
  MUSTER_ASSIGN_OR_RETURN(const int64_t longest, LongestCancel(database));
  const auto id = static_cast<int64_t>(task.value());
  std::optional<core::CancelRow> first;
  const auto consider = [&](Query& wishes) {
    while (wishes.Next()) {
      const CommitNumber commit = CommitOf(wishes);
      if (commit > latest || (first.has_value() && commit >= *found_in)) continue;
      first = ReadCancel(wishes);
      *found_in = commit;
    }
    return wishes.status();
  };
  Query own(database, "SELECT * FROM cancel WHERE first = ? AND count = 1 ORDER BY commit_number", "cancel");
  own.Bind(1, id);
  MUSTER_RETURN_IF_ERROR(consider(own));
  if (longest == 0) return first;
  Query ranges(database,
               "SELECT * FROM cancel WHERE count > 1 AND first > ?1 - ?2 AND first <= ?1 AND first + count > ?1",
               "cancel");
  ranges.Bind(1, id);
  ranges.Bind(2, longest);
  MUSTER_RETURN_IF_ERROR(consider(ranges));
  return first;
}

}  // namespace muster::store
