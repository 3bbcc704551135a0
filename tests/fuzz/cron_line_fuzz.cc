// The times of a schedule as a person writes them, and a zone and a second to look from: the text, "%%", bytes.
//
// Claims: what is wrong is refused in one line with its column; what was read is written as what reads the same; due times
// come in order, are the same from wherever one looks, and none lies between one and the next; the newest are the last.
#include <array>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "master/schedules/cron_line.h"
#include "master/schedules/times_text.h"
#include "master/schedules/timetable.h"
#include "tests/fuzz/fuzz.h"

namespace muster::fuzz {
namespace {

using schedules::CronLine;
using schedules::Timetable;

const absl::TimeZone& ZoneNumber(size_t number) {
  static const auto* const zones = [] {
    static std::array<absl::TimeZone, 6> loaded;
    const char* const names[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut", "Pacific/Apia"};
    for (size_t i = 0; i < loaded.size(); ++i) MUSTER_CHECK(absl::LoadTimeZone(names[i], &loaded[i]));
    return &loaded;
  }();
  return (*zones)[number % zones->size()];
}

void CheckRefusal(const absl::Status& status, const std::string& text) {
  const std::string message(status.message());
  MUSTER_CLAIM(absl::IsInvalidArgument(status) && IsOneLine(message) && message.size() < 256, message);
  MUSTER_CLAIM(absl::StrContains(message, "column "), absl::StrCat(text, ": ", message));
}

void CheckLine(const CronLine& line, absl::CivilMinute from) {
  const auto next = line.NextFrom(from);
  if (!next) return;
  MUSTER_CLAIM(*next >= from && line.Matches(*next), absl::FormatCivilTime(*next));
  for (int i = 0; i < 200 && from < *next; ++i, ++from) MUSTER_CLAIM(!line.Matches(from), absl::FormatCivilTime(from));
}

void CheckDueTimes(const Timetable& timetable, absl::Time from) {
  absl::Time last = absl::InfinitePast(), next = from;
  int count = 0;
  for (absl::Time due = timetable.NextAfter(from); count < 20 && due != absl::InfiniteFuture(); ++count) {
    MUSTER_CLAIM(due > next && timetable.NextAfter(due - absl::Seconds(1)) == due, schedules::DueText(due));
    const absl::Time between = next + (due - next) / 3;
    MUSTER_CLAIM(timetable.NextAfter(between) == due, schedules::DueText(due));
    last = next = due;
    due = timetable.NextAfter(due);
  }
  MUSTER_CLAIM(timetable.LastIn(from, next) == last, schedules::DueText(next));
}

}  // namespace
}  // namespace muster::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace muster;
  fuzz::Input input(data, size);
  const std::string text(input.Part());
  const absl::TimeZone zone = fuzz::ZoneNumber(input.Number<uint8_t>());
  const absl::Time now = absl::FromUnixSeconds(input.Number<uint32_t>());
  const absl::StatusOr<ScheduleTimes> times = schedules::ReadTimes(text, zone.name(), zone, now);
  if (!times.ok()) {
    fuzz::CheckRefusal(times.status(), text);
    return 0;
  }
  const absl::StatusOr<ScheduleTimes> again = schedules::ReadTimes(schedules::TimesText(*times), zone.name(), zone, now);
  MUSTER_CLAIM(again.ok() && *again == *times, schedules::TimesText(*times));
  const absl::StatusOr<schedules::Timetable> timetable = schedules::Timetable::Make(*times, zone);
  MUSTER_CLAIM(timetable.ok(), timetable.status().ToString());
  const absl::StatusOr<schedules::CronLine> line = schedules::CronLine::Parse(text);
  if (line.ok()) fuzz::CheckLine(*line, absl::ToCivilMinute(now, zone));
  fuzz::CheckDueTimes(*timetable, now);
  return 0;
}
