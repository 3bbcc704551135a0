#include "master/schedules/times_text.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "master/schedules/cron_line.h"

namespace muster::schedules {
namespace {

constexpr std::string_view kSpaces = " \t";

struct TimeUnit {
  char letter;
  int64_t seconds;
};
constexpr size_t kMostDigits = 9;
constexpr size_t kLongestEventName = 128;
constexpr TimeUnit kTimeUnits[] = {{'w', 7 * 86400}, {'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};

// What follows the first word, and the column that it begins at.
struct Argument {
  std::string text;
  size_t column;
};

absl::Status WrongArgument(std::string_view what, const Argument& argument, std::string_view fix) {
  const std::string shown = argument.text.empty() ? " missing" : absl::StrCat(" ", ToLine(argument.text, 40));
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(what), shown, " at column ", argument.column, ": ", std::string(fix)));
}

// The text after this first word; empty: it begins with another one.
std::optional<Argument> ArgumentOf(std::string_view word, const std::string& text) {
  const size_t begin = std::min(text.find_first_not_of(kSpaces), text.size());
  const size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
  if (absl::AsciiStrToLower(text.substr(begin, end - begin)) != word) return std::nullopt;
  const size_t value = std::min(text.find_first_not_of(kSpaces, end), text.size());
  const size_t past = text.find_last_not_of(kSpaces) + 1;
  return Argument{text.substr(value, std::max(past, value) - value), value + 1};
}

// Each unit at most once, from the largest to the smallest. Empty: it is none, or beyond 64 bits.
std::optional<int64_t> SecondsOf(std::string_view text) {
  int64_t total = 0;
  const TimeUnit* unit = std::begin(kTimeUnits);
  while (!text.empty()) {
    const auto* const end = std::find_if_not(text.begin(), text.end(), absl::ascii_isdigit);
    const auto digits = static_cast<size_t>(end - text.begin());
    if (digits == 0 || digits > kMostDigits || end == text.end()) return std::nullopt;
    int64_t number = 0;
    for (const char digit : text.substr(0, digits)) number = number * 10 + (digit - '0');
    unit = std::find_if(unit, std::end(kTimeUnits), [&](const TimeUnit& u) { return u.letter == text[digits]; });
    if (unit == std::end(kTimeUnits)) return std::nullopt;
    total += number * unit->seconds;
    ++unit;
    text.remove_prefix(digits + 1);
  }
  return total;
}

absl::StatusOr<ScheduleTimes> ReadInterval(const Argument& argument, absl::Time now) {
  const std::optional<int64_t> seconds = SecondsOf(argument.text);
  if (argument.text.empty() || !seconds) {
    return WrongArgument("interval", argument, "a number with a unit of w, d, h, m or s, such as 5m or 1h30m");
  }
  const absl::Duration period = absl::Seconds(*seconds);
  if (period < IntervalTimes::kLeastPeriod || period > IntervalTimes::kMostPeriod) {
    return WrongArgument("interval", argument, "1s to 366d");
  }
  return IntervalTimes{period, absl::FromUnixSeconds(absl::ToUnixSeconds(now))};
}

// "2027-02-30" has the form of a date, and there is none. Empty: there is, or it has not the form.
std::string WhyNoDate(const std::string& text) {
  const auto number = [&text](size_t begin, size_t size) {
    int value = 0;
    for (size_t i = begin; i < begin + size; ++i) {
      if (i >= text.size() || !absl::ascii_isdigit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  if (year < 0 || month < 0 || day < 0) return "";
  if (month < 1 || month > 12) return absl::StrCat("there is no month ", month);
  const absl::CivilMonth named(year, month);
  const auto length = absl::CivilDay(named + 1) - absl::CivilDay(named);
  if (day >= 1 && day <= length) return "";
  return absl::StrCat("there is no day ", day, " in ", absl::FormatCivilTime(named), ", which has ", length);
}

std::optional<absl::Time> InstantOf(std::string text, absl::TimeZone zone) {
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  absl::Time instant;
  for (const char* form : {"%Y-%m-%d%ET%H:%M:%E*S%Ez", "%Y-%m-%d%ET%H:%M%Ez"}) {
    if (absl::ParseTime(form, text, &instant, nullptr)) return instant;
  }
  for (const char* form : {"%Y-%m-%d%ET%H:%M:%E*S", "%Y-%m-%d%ET%H:%M"}) {
    if (!absl::ParseTime(form, text, &instant, nullptr)) continue;
    const absl::TimeZone::CivilInfo shown = absl::UTCTimeZone().At(instant);
    return absl::FromCivil(shown.cs, zone) + shown.subsecond;  // as cron_times.h takes fixed times
  }
  return std::nullopt;
}

absl::StatusOr<ScheduleTimes> ReadOneTime(const Argument& argument, absl::TimeZone zone, absl::Time now) {
  const std::string why = WhyNoDate(argument.text);
  if (!why.empty()) return WrongArgument("time", argument, why);
  const std::optional<absl::Time> instant = InstantOf(argument.text, zone);
  if (!instant || *instant >= absl::FromCivil(absl::CivilYear(CronLine::kLastYear), zone)) {
    return WrongArgument("time", argument, "write it as 2026-12-24 18:00 or 2026-12-24T18:00:00+01:00");
  }
  if (*instant <= now) {
    return WrongArgument("time", argument,
                         absl::StrCat("it has passed; it is ", absl::FormatTime("%Y-%m-%d %H:%M:%S%Ez", now, zone)));
  }
  const absl::Time whole = absl::FromUnixSeconds(absl::ToUnixSeconds(*instant));
  return OneTime{whole < *instant ? whole + absl::Seconds(1) : whole};
}

absl::StatusOr<ScheduleTimes> ReadEvent(const Argument& argument) {
  const bool good = !argument.text.empty() && argument.text.size() <= kLongestEventName &&
                    std::all_of(argument.text.begin(), argument.text.end(), [](char c) {
                      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
                    });
  if (!good) return WrongArgument("event", argument, absl::StrCat("1 to ", kLongestEventName, " characters of [A-Za-z0-9._-], such as on push"));
  return EventTimes{argument.text};
}

std::string PeriodText(absl::Duration period) {
  std::string text;
  int64_t left = absl::ToInt64Seconds(period);
  for (const TimeUnit& unit : kTimeUnits) {
    if (left >= unit.seconds) absl::StrAppend(&text, left / unit.seconds, std::string(1, unit.letter));
    left %= unit.seconds;
  }
  return text;
}

struct TextOf {
  std::string operator()(const CronTimes& cron) const { return cron.line; }
  std::string operator()(const IntervalTimes& interval) const {
    return absl::StrCat("every ", PeriodText(interval.period));
  }
  std::string operator()(const EventTimes& on) const { return absl::StrCat("on ", on.event); }
  std::string operator()(const OneTime& once) const {
    return absl::StrCat("at ", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", once.at, absl::UTCTimeZone()));
  }
};

}  // namespace

absl::StatusOr<ScheduleTimes> ReadTimes(const std::string& text, const std::string& zone_name, absl::TimeZone zone,
                                        absl::Time now) {
  if (const auto argument = ArgumentOf("every", text)) return ReadInterval(*argument, now);
  if (const auto argument = ArgumentOf("at", text)) return ReadOneTime(*argument, zone, now);
  if (const auto argument = ArgumentOf("on", text)) return ReadEvent(*argument);
  MUSTER_RETURN_IF_ERROR(CronLine::Parse(text).status());
  return CronTimes{text, zone_name};
}

std::string TimesText(const ScheduleTimes& times) { return std::visit(TextOf{}, times); }

}  // namespace muster::schedules
