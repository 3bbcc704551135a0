// The packed columns of the store: a batch's arguments, an attempt's report, a commit's activity, ranges of tasks, runs of a
// schedule. The first byte says which; the rest is what the column holds.
//
// Claims: bytes are refused or read; what was read packs to bytes that read as the same; what is shown of a report
// prints as JSON.
#include <google/protobuf/util/json_util.h>

#include <optional>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/convert/convert.h"
#include "master/store/activity_packing.h"
#include "master/store/report_packing.h"
#include "master/store/schedule_rows.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

void Arguments(Input& input) {
  const size_t count = input.Number<uint8_t>();
  const std::string_view bytes = input.Rest();
  const ArgumentRowsPtr rows = store::UnpackArgumentRows(bytes, count);
  if (rows == nullptr) return;
  MUSTER_CLAIM(rows->size() == count, absl::StrCat(rows->size()));
  std::string packed;
  store::PackArgumentRows(*rows, &packed);
  const ArgumentRowsPtr again = store::UnpackArgumentRows(packed, count);
  MUSTER_CLAIM(again != nullptr && *again == *rows, Hex(packed));
}

void CheckShown(const AttemptReport& report) {
  v1::AttemptResult shown;
  convert::ToProto(report, &shown);
  shown.mutable_end()->clear_message();  // any bytes, here
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(shown, &json);
  MUSTER_CLAIM(status.ok(), absl::StrCat(status.ToString(), "\n", shown.ShortDebugString()));
}

void Report(Input& input) {
  const auto report = store::UnpackReport(input.Rest(), {TaskId(7), AttemptNumber(1)});
  if (report == nullptr) return;
  std::string packed, packed_again;
  store::PackReport(*report, &packed);
  const auto again = store::UnpackReport(packed, report->key);
  MUSTER_CLAIM(again != nullptr, Hex(packed));
  store::PackReport(*again, &packed_again);
  MUSTER_CLAIM(packed == packed_again, absl::StrCat(Hex(packed), "\n", Hex(packed_again)));
  const int code = ExitCodeFor(report->end);
  MUSTER_CLAIM(code >= 0 && code <= 255, Describe(report->end));
  MUSTER_CLAIM(code != 0 || Succeeded(report->end), "only success looks like it");
  CheckShown(*report);
}

void Activity(Input& input) {
  const std::optional<std::vector<activity::Record>> records = store::UnpackActivity(input.Rest());
  if (!records) return;
  std::string packed, packed_again;
  store::PackActivity(*records, &packed);
  const auto again = store::UnpackActivity(packed);
  MUSTER_CLAIM(again && again->size() == records->size(), Hex(packed));
  store::PackActivity(*again, &packed_again);
  MUSTER_CLAIM(packed == packed_again, absl::StrCat(Hex(packed), "\n", Hex(packed_again)));
  for (const activity::Record& record : *records) {
    v1::ActivityRecord shown;
    convert::ToProto(record, &shown);
    const activity::Record back = convert::FromProto(shown);
    MUSTER_CLAIM(back.event.index() == record.event.index(), shown.ShortDebugString());
  }
}

void Ranges(Input& input) {
  const std::optional<std::vector<TaskRange>> ranges = store::UnpackRanges(input.Rest());
  if (!ranges) return;
  std::string packed;
  store::PackRanges(*ranges, &packed);
  MUSTER_CLAIM(store::UnpackRanges(packed) == ranges, Hex(packed));
}

void ScheduleRuns(Input& input) {
  core::ScheduleProgressRow progress, again;
  if (!store::UnpackRuns(input.Rest(), &progress)) return;
  std::string packed;
  store::PackRuns(progress, &packed);
  MUSTER_CLAIM(store::UnpackRuns(packed, &again), Hex(packed));
  MUSTER_CLAIM(again.running == progress.running && again.recent == progress.recent && again.waiting == progress.waiting, Hex(packed));
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  muster::fuzz::Input input(data, size);
  switch (input.Number<uint8_t>()) {
    case 'a': muster::fuzz::Arguments(input); break;
    case 'r': muster::fuzz::Report(input); break;
    case 'l': muster::fuzz::Activity(input); break;
    case 't': muster::fuzz::Ranges(input); break;
    case 's': muster::fuzz::ScheduleRuns(input); break;
    default: return -1;  // not worth keeping
  }
  return 0;
}
